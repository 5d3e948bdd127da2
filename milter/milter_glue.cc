// SPDX-License-Identifier: Apache-2.0
#include "milter/milter_glue.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/thread_slot.h"
#include "milter/foreign_calls.h"

namespace ipmit::milter {
namespace {

using Clock = std::chrono::steady_clock;

// Steps we can do without; Postfix then does not send them.
constexpr unsigned long kUnwanted =
    SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN;
constexpr unsigned long kActions = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST;

struct alignas(common::kCacheLineBytes) CallbackCount {
  std::atomic<int> running{0};
};

struct Glue {
  GlueOptions options;
  const SessionServices& services;
  std::string id_prefix;  // tells the sessions of this process from those of the last
  std::atomic<std::uint64_t> next_session{1};
  std::atomic<bool> ended{false};
  std::array<CallbackCount, common::kThreadSlots> callbacks{};
};
Glue* glue = nullptr;  // set once, before libmilter starts, and never freed

// A callback that runs: until it is over, end_callbacks() waits. First the count, then the look at
// the flag, there the other way round: one of the two sees the other.
class Callback {
 public:
  Callback() : count_(glue->callbacks[common::thread_slot()]) { count_.running.fetch_add(1); }
  ~Callback() { count_.running.fetch_sub(1); }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  bool is_too_late() const { return glue->ended.load(); }

 private:
  CallbackCount& count_;
};

bool is_any_running() {
  return std::any_of(glue->callbacks.begin(), glue->callbacks.end(),
                     [](const CallbackCount& count) { return count.running.load() != 0; });
}

// libmilter's per-connection pointer. Made at negotiation; Postfix may connect again on it.
struct Connection {
  explicit Connection(std::string id) : session(glue->services, std::move(id)) {
    glue->services.metrics.sessions_open.add(1);
  }
  ~Connection() { glue->services.metrics.sessions_open.add(-1); }
  Session session;
};

Connection& connection_of(SMFICTX* ctx) {
  auto* connection = static_cast<Connection*>(smfi_getpriv(ctx));
  if (connection == nullptr) {
    const std::uint64_t number = glue->next_session.fetch_add(1, std::memory_order_relaxed);
    connection = std::make_unique<Connection>(glue->id_prefix + std::to_string(number)).release();
    smfi_setpriv(ctx, connection);
  }
  return *connection;
}

std::string_view text(const char* value) {
  return value == nullptr ? std::string_view{} : std::string_view(value);
}

std::string_view macro(SMFICTX* ctx, const char* name) {
  return text(smfi_getsymval(ctx, const_cast<char*>(name)));
}

std::string_view queue_id_of(void* ctx) {
  return macro(static_cast<SMFICTX*>(ctx), "i");
}

void log_exception(const char* where, const char* what) noexcept {
  try {
    glue->services.metrics.internal_errors.add();
    common::log_event(common::LogLevel::kError, "internal_error",
                      {{"callback", where}, {"reason", what}});
  } catch (...) {
    // Out of memory for a log line: the message still goes on.
  }
}

// Last stop for exceptions: none may cross libmilter's frames.
template <typename Call>
sfsistat guard(SMFICTX* ctx, const char* where, Call&& call) noexcept {
  const Callback callback;
  if (callback.is_too_late()) return SMFIS_TEMPFAIL;
  try {
    return call();
  } catch (const std::exception& error) {
    log_exception(where, error.what());
  } catch (...) {
    log_exception(where, "unknown");
  }
  if (auto* connection = static_cast<Connection*>(smfi_getpriv(ctx))) {
    try {
      connection->session.fail();
    } catch (...) {
      log_exception(where, "cannot clean up");
    }
  }
  return SMFIS_CONTINUE;
}

class Stopwatch {
 public:
  ~Stopwatch() {
    glue->services.metrics.callback_seconds.observe(
        std::chrono::duration<double>(Clock::now() - start_).count());
  }

 private:
  Clock::time_point start_ = Clock::now();
};

bool send_edit(SMFICTX* ctx, const HeaderEdit& edit) {
  char* name = const_cast<char*>(edit.name.c_str());
  char* value = const_cast<char*>(edit.value.c_str());
  switch (edit.kind) {
    case HeaderEdit::Kind::kInsertFirst:
      return smfi_insheader(ctx, 0, name, value) == MI_SUCCESS;
    case HeaderEdit::Kind::kAdd:
      return smfi_addheader(ctx, name, value) == MI_SUCCESS;
    case HeaderEdit::Kind::kDelete:
      return smfi_chgheader(ctx, name, 1, nullptr) == MI_SUCCESS;
  }
  return false;
}

sfsistat to_smfis(SMFICTX* ctx, const Session& session, const Verdict& verdict) {
  const SessionServices& services = glue->services;
  for (const HeaderEdit& edit : verdict.edits) {
    if (send_edit(ctx, edit)) continue;
    services.metrics.edits_failed.add();
    services.log.warn(DecisionLog::Warning::kEditFailed, "header", edit.name, services.clock());
  }
  if (!verdict.reply) return SMFIS_CONTINUE;
  const policy::SmtpReply& reply = *verdict.reply;
  const std::string line = reply.milter_text();
  if (smfi_setreply(ctx, const_cast<char*>(reply.code().c_str()),
                    const_cast<char*>(reply.enhanced().c_str()),
                    const_cast<char*>(line.c_str())) != MI_SUCCESS) {
    services.metrics.replies_failed.add();
    common::log_event(common::LogLevel::kError, "reply_failed",
                      {{"session", session.id()}, {"reply", reply.to_string()}});
  }
  return reply.is_permanent() ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

// Which macros we want with each step; the list replaces Postfix's default.
void ask_for_macros(SMFICTX* ctx) {
  const std::pair<int, const char*> lists[] = {
      {SMFIM_CONNECT, "{daemon_addr} {daemon_port} {client_port}"},
      {SMFIM_ENVFROM, "i {auth_authen} {auth_type} {mail_addr}"},
      {SMFIM_ENVRCPT, "i {rcpt_addr} {rcpt_host} {rcpt_mailer}"},
      {SMFIM_EOM, "i {auth_authen}"}};
  for (const auto& [step, list] : lists) {
    // Fails only for want of memory; then Postfix sends its defaults, which hold `i` and the user.
    static_cast<void>(smfi_setsymlist(ctx, step, const_cast<char*>(list)));
  }
}

sfsistat on_negotiate(SMFICTX* ctx, unsigned long actions, unsigned long steps, unsigned long,
                      unsigned long, unsigned long* want_actions, unsigned long* want_steps,
                      unsigned long* reserved2, unsigned long* reserved3) {
  *want_actions = actions & kActions;
  *want_steps = steps & (kUnwanted | SMFIP_RCPT_REJ);
  *reserved2 = 0;
  *reserved3 = 0;
  return guard(ctx, "negotiate", [&] {
    connection_of(ctx);
    if ((actions & SMFIF_SETSYMLIST) != 0) ask_for_macros(ctx);
    return SMFIS_CONTINUE;
  });
}

std::uint16_t port_of(const sockaddr* address) {
  if (address == nullptr) return 0;
  if (address->sa_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  if (address->sa_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  return 0;
}

sfsistat on_connect(SMFICTX* ctx, char* host, _SOCK_ADDR* address) {
  return guard(ctx, "connect", [&] {
    const auto* peer = reinterpret_cast<const sockaddr*>(address);
    connection_of(ctx).session.connect({.host = text(host),
                                        .address = policy::IpAddress::from_sockaddr(peer),
                                        .port = port_of(peer),
                                        .daemon_port = macro(ctx, "{daemon_port}")});
    return SMFIS_CONTINUE;
  });
}

sfsistat on_mail(SMFICTX* ctx, char** arguments) {
  return guard(ctx, "mail", [&] {
    const Stopwatch stopwatch;
    Session& session = connection_of(ctx).session;
    return to_smfis(ctx, session,
                    session.mail_from({.argument = text(arguments[0]),
                                       .sasl_user = macro(ctx, "{auth_authen}"),
                                       .queue_id = {queue_id_of, ctx}}));
  });
}

sfsistat on_rcpt(SMFICTX* ctx, char** arguments) {
  return guard(ctx, "rcpt", [&] {
    const Stopwatch stopwatch;
    Session& session = connection_of(ctx).session;
    return to_smfis(ctx, session,
                    session.rcpt_to({.argument = text(arguments[0]),
                                     .mailer = macro(ctx, "{rcpt_mailer}"),
                                     .queue_id = {queue_id_of, ctx}}));
  });
}

sfsistat on_eom(SMFICTX* ctx) {
  return guard(ctx, "eom", [&] {
    const Stopwatch stopwatch;
    Session& session = connection_of(ctx).session;
    return to_smfis(ctx, session, session.end_of_message(macro(ctx, "i")));
  });
}

sfsistat on_abort(SMFICTX* ctx) {
  return guard(ctx, "abort", [&] {
    connection_of(ctx).session.abort();
    return SMFIS_CONTINUE;
  });
}

sfsistat on_close(SMFICTX* ctx) {
  return guard(ctx, "close", [&] {
    const std::unique_ptr<Connection> ended(static_cast<Connection*>(smfi_getpriv(ctx)));
    smfi_setpriv(ctx, nullptr);
    if (ended) ended->session.close();
    return SMFIS_CONTINUE;
  });
}

void check(int result, const char* call) {
  if (result != MI_SUCCESS) {
    throw common::PermanentError(std::string("libmilter refused ") + call);
  }
}

std::string make_id_prefix() {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return std::to_string(getpid()) + "." + std::to_string(seconds.count() % 1'000'000) + ".";
}

}  // namespace

void start_libmilter(const GlueOptions& options, const SessionServices& services) {
  if (!foreign_calls_are_ours()) {
    throw common::PermanentError(
        "libmilter would take SIGTERM and SIGHUP for itself: sigwait() or accept() of this program "
        "is not in its place");
  }
  glue = new Glue{options, services, make_id_prefix()};  // for the life of the process
  if (options.on_accept) {
    observe_accept(options.listen_fd, [](int accepted) {
      const Callback callback;
      if (!callback.is_too_late()) glue->options.on_accept(accepted);
    });
  }
  static char name[] = "ipmit";
  smfiDesc filter{};
  filter.xxfi_name = name;
  filter.xxfi_version = SMFI_VERSION;
  filter.xxfi_flags = kActions;
  filter.xxfi_connect = on_connect;
  filter.xxfi_envfrom = on_mail;
  filter.xxfi_envrcpt = on_rcpt;
  filter.xxfi_eom = on_eom;
  filter.xxfi_abort = on_abort;
  filter.xxfi_close = on_close;
  filter.xxfi_negotiate = on_negotiate;
  check(smfi_register(filter), "the filter");
  std::string where = "fd:" + std::to_string(options.listen_fd);
  check(smfi_setconn(where.data()), "the socket");
  check(smfi_setbacklog(options.backlog), "the backlog");
  check(smfi_settimeout(static_cast<int>(options.idle_limit.count() / 1000)), "the idle limit");
  check(smfi_opensocket(0), "the socket");
  std::thread([] {
    pthread_setname_np(pthread_self(), "libmilter");  // the library's threads inherit it
    if (smfi_main() != MI_SUCCESS) {
      common::log_event(common::LogLevel::kError, "libmilter_ended", {});
      _exit(1);  // nobody listens any more; the service manager starts us again
    }
  }).detach();
}

bool end_callbacks(Duration patience) {
  glue->ended = true;
  const auto end = Clock::now() + patience;
  while (is_any_running()) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(Duration{1});
  }
  return true;
}

std::string libmilter_version() {
  unsigned int major = 0, minor = 0, patch = 0;
  smfi_version(&major, &minor, &patch);
  return "libmilter " + std::to_string(major) + "." + std::to_string(minor) + "." +
         std::to_string(patch);
}

}  // namespace ipmit::milter
