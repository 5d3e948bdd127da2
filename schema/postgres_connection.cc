// SPDX-License-Identifier: Apache-2.0
#include "schema/postgres_connection.h"

#include <algorithm>
#include <charconv>
#include <pqxx/pqxx>
#include <utility>

#include "common/error.h"
#include "schema/socket_watchdog.h"

namespace ipmit::schema {
namespace {

using common::PermanentError;
using common::TransientError;

// Parameters of the URL that are added where it does not have them, so that a dead peer is noticed,
// and that a standby is not taken for the record: what it says may be old.
constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
    {"target_session_attrs", "primary"}, {"keepalives_idle", "5"},
    {"keepalives_interval", "3"},        {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"},       {"application_name", "ipmit"},
    {"client_encoding", "UTF8"},
};

constexpr common::Duration kPatience = PostgresConnection::kPatience;
constexpr common::Duration kGoodbye{1'000};

// Whoever holds the lock of all changes must not hold it for ever.
constexpr const char* kSessionSettings =
    "SET lock_timeout = '5s'; SET statement_timeout = '60s'; "
    "SET idle_in_transaction_session_timeout = '15s'; SET timezone = 'UTC'; "
    "SET search_path = ipmit, pg_temp";

std::string with_defaults(const std::string& url) {
  std::string full = url;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (url.find(std::string(name) + '=') != std::string::npos) return;
    full += full.find('?') == std::string::npos ? '?' : '&';
    full.append(name).append("=").append(value);
  };
  for (const auto& [name, value] : kDefaults) add(name, value);
  // Of several hosts each may use it up, and the one that is gone may be the first.
  add("connect_timeout", url.find(',') == std::string::npos ? "5" : "2");
  return full;
}

std::string without_password(const std::string& url) {
  const auto host = url.find('@');
  const auto user = url.find("://");
  if (host == std::string::npos || user == std::string::npos) return url.substr(0, url.find('?'));
  const auto colon = url.find(':', user + 3);
  if (colon == std::string::npos || colon > host) return url.substr(0, url.find('?'));
  std::string shown = url.substr(0, colon) + url.substr(host);
  return shown.substr(0, shown.find('?'));
}

// libpq's messages have several lines; ours have one, without the piece of our statement that the
// server points at and without the functions it was in.
std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.starts_with("CONTEXT: ")) break;
    part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
    if (part.empty() || part.starts_with("LINE ") || part == "^") continue;
    if (!line.empty()) line += "; ";
    line += part;
  }
  return line;
}

// SQLSTATE classes and codes whose statement may succeed later without anyone changing anything.
bool is_transient(std::string_view state) {
  constexpr std::string_view kClasses[] = {"08",    // connection exception
                                           "40",    // rollback: serialization, deadlock
                                           "53",    // insufficient resources
                                           "57",    // operator intervention: shutdown, cancelled
                                           "58"};   // system error
  constexpr std::string_view kCodes[] = {"55P03",   // lock not available
                                         "55006",   // object in use
                                         "25006",   // read-only: a standby that was the primary
                                         "25P03"};  // idle in transaction too long
  for (const auto code : kCodes)
    if (state == code) return true;
  for (const auto kind : kClasses)
    if (state.substr(0, 2) == kind) return true;
  return false;
}

// Some of libpqxx' classes of errors come without their SQLSTATE.
bool is_transient(const pqxx::sql_error& error) {
  return is_transient(error.sqlstate()) ||
         dynamic_cast<const pqxx::insufficient_resources*>(&error) != nullptr;
}

[[noreturn]] void fail(const std::string& place, const pqxx::sql_error& error) {
  std::string reason = place + ": " + one_line(error.what());
  if (is_transient(error)) throw TransientError(reason);
  if (error.sqlstate().substr(0, 2) == "XX")
    reason += ": the server reports damaged data; restore a backup";
  if (dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr)
    reason +=
        ": grant this user one of ipmit_controller, ipmit_detector, ipmit_operator, "
        "ipmit_readonly";
  throw PermanentError(reason);
}

}  // namespace

struct PostgresConnection::Impl {
  class Receiver : public pqxx::notification_receiver {
   public:
    using pqxx::notification_receiver::notification_receiver;
    void operator()(const std::string& text, int) override { payload = text; }
    std::optional<std::string> payload;
  };

  explicit Impl(const std::string& url) : session(url), quiet(session), watchdog(session.sock()) {
// Left alone, libpqxx would open another session behind our back, without its settings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    session.inhibit_reactivation(true);
#pragma GCC diagnostic pop
    watchdog.arm(kPatience);
    pqxx::nontransaction(session).exec(kSessionSettings);
    watchdog.disarm();
  }
  ~Impl() {
    watchdog.arm(kGoodbye);  // the receiver tells the server that it no longer listens, and waits
    receiver.reset();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  pqxx::connection session;
  pqxx::quiet_errorhandler quiet;  // its notices would go to standard error
  std::unique_ptr<Receiver> receiver;
  SocketWatchdog watchdog;  // last: it ends before the session does
};

// Keeps the session until the transaction is gone, also when an error closed the connection.
struct PostgresTransaction::Impl {
  std::shared_ptr<PostgresConnection::Impl> connection;
  std::unique_ptr<pqxx::transaction_base> work;
};

struct PostgresRows::Impl {
  pqxx::result result;
};

// Runs `call` within the patience and turns what libpqxx throws into our two errors; what costs the
// session closes it.
template <typename Call>
auto PostgresConnection::guarded(common::Duration patience, Call call) {
  const std::shared_ptr<Impl> watched = impl_;
  const auto fail_if_silent = [&] {
    if (!watched || !watched->watchdog.has_fired()) return;
    disconnect();
    throw TransientError(place_ + ": no answer within " + common::to_duration_text(patience));
  };
  struct Disarm {
    Impl* impl;
    ~Disarm() {
      if (impl != nullptr) impl->watchdog.disarm();
    }
  } const disarm{watched.get()};
  if (watched) watched->watchdog.arm(patience);
  try {
    return call();
  } catch (const pqxx::sql_error& error) {
    fail_if_silent();
    if (!is_connected() || is_transient(error)) disconnect();
    fail(place_, error);
  } catch (const std::exception& error) {  // broken_connection, in_doubt_error, use after those
    fail_if_silent();
    disconnect();
    throw TransientError(place_ + ": " + one_line(error.what()));
  }
}

std::string_view PostgresRows::Row::text(int column) const {
  const auto field = rows_.impl_->result[static_cast<pqxx::result::size_type>(index_)][column];
  return {field.c_str(), field.size()};
}

std::optional<std::int64_t> PostgresRows::Row::integer(int column) const {
  const std::string_view digits = text(column);
  std::int64_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || end.ec != std::errc()) return std::nullopt;
  return value;
}

PostgresRows::PostgresRows(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresRows::~PostgresRows() = default;
PostgresRows::PostgresRows(PostgresRows&& other) noexcept = default;

std::size_t PostgresRows::size() const {
  return static_cast<std::size_t>(impl_->result.size());
}

std::size_t PostgresRows::affected() const {
  return static_cast<std::size_t>(impl_->result.affected_rows());
}

PostgresConnection::PostgresConnection(const std::string& url)
    : url_(with_defaults(url)), place_(without_password(url)) {}
PostgresConnection::~PostgresConnection() = default;

bool PostgresConnection::is_connected() const {
  return impl_ && impl_->session.is_open();
}

void PostgresConnection::disconnect() {
  impl_.reset();
}

void PostgresConnection::connect() {
  if (is_connected()) return;
  guarded(patience_, [&] {
    impl_.reset();
    impl_ = std::make_shared<Impl>(url_);
    if (!channel_.empty())
      impl_->receiver = std::make_unique<Impl::Receiver>(impl_->session, channel_);
  });
  ++sessions_;
}

void PostgresConnection::listen(const std::string& channel) {
  channel_ = channel;
  if (!is_connected()) return connect();
  guarded(patience_,
          [&] { impl_->receiver = std::make_unique<Impl::Receiver>(impl_->session, channel_); });
}

std::optional<std::string> PostgresConnection::wait_for_notification(common::Duration deadline) {
  connect();
  return guarded(patience_, [&] {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(deadline);
    const std::chrono::microseconds rest = deadline - seconds;
    impl_->session.await_notification(static_cast<long>(seconds.count()),
                                      static_cast<long>(rest.count()));
    if (!impl_->session.is_open()) throw pqxx::broken_connection("the session was lost");
    return std::exchange(impl_->receiver->payload, std::nullopt);
  });
}

PostgresTransaction::PostgresTransaction(PostgresConnection& connection, Kind kind)
    : PostgresTransaction(connection, kind, connection.patience_) {}

PostgresTransaction::PostgresTransaction(PostgresConnection& connection, Kind kind,
                                         common::Duration patience)
    : connection_(connection), patience_(patience), impl_(std::make_unique<Impl>()) {
  connection_.connect();
  connection_.guarded(patience_, [&] {
    impl_->connection = connection_.impl_;
    auto& session = impl_->connection->session;
    if (kind == Kind::kRead)
      impl_->work =
          std::make_unique<pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>>(session);
    else
      impl_->work = std::make_unique<pqxx::work>(session);
  });
}

// Rolls back what was not committed, which asks the server too.
PostgresTransaction::~PostgresTransaction() {
  SocketWatchdog& watchdog = impl_->connection->watchdog;
  watchdog.arm(patience_);
  impl_->work.reset();
  watchdog.disarm();
}

PostgresRows PostgresTransaction::run(const std::string& sql,
                                      const std::vector<PostgresParameter>& parameters) {
  std::vector<const char*> texts;
  texts.reserve(parameters.size());
  for (const PostgresParameter& parameter : parameters) {
    // It would be cut there without a word.
    if (parameter && parameter->find('\0') != std::string::npos)
      throw PermanentError(connection_.place() +
                           ": a text with a zero byte, which it can not hold");
    texts.push_back(parameter ? parameter->c_str() : nullptr);
  }
  return connection_.guarded(patience_, [&] {
    const auto result = impl_->work->exec_params(sql, pqxx::prepare::make_dynamic_params(texts));
    return PostgresRows(std::make_unique<PostgresRows::Impl>(PostgresRows::Impl{result}));
  });
}

void PostgresTransaction::execute(const std::string& sql) {
  connection_.guarded(patience_, [&] { impl_->work->exec(sql); });
}

void PostgresTransaction::commit() {
  connection_.guarded(patience_, [&] { impl_->work->commit(); });
}

}  // namespace ipmit::schema
