// SPDX-License-Identifier: Apache-2.0
#include "tests/support/temp_postfix.h"

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <grp.h>
#include <nlohmann/json.hpp>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipmit::test {
namespace fs = std::filesystem;
namespace {

const char* const kMaster = "/usr/lib/postfix/sbin/master";
const fs::path kSource = IPMIT_SOURCE_DIR;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

void own(const fs::path& path, const char* user, const char* group, mode_t mode) {
  const passwd* owner = ::getpwnam(user);
  const ::group* members = ::getgrnam(group);
  if (owner == nullptr || members == nullptr ||
      ::chown(path.c_str(), owner->pw_uid, members->gr_gid) != 0 ||
      ::chmod(path.c_str(), mode) != 0) {
    throw std::runtime_error(path.string() + ": cannot give it to " + user + ":" + group);
  }
}

// A private Postfix whose lines of main.cf come twice warns about each; the later one is meant.
std::string without_repeats(const std::string& main_cf) {
  std::vector<std::string> lines;
  std::istringstream in(main_cf);
  for (std::string line; std::getline(in, line);) {
    const auto name = line.substr(0, line.find(" ="));
    const bool sets = name.size() < line.size() && line[0] != '#' && line[0] != ' ';
    if (sets) {
      std::erase_if(lines, [&](const auto& other) { return other.starts_with(name + " ="); });
    }
    lines.push_back(line);
  }
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

}  // namespace

std::optional<std::string> TempPostfix::missing() {
  if (::geteuid() != 0) return "a private Postfix needs root";
  for (const char* program : {kMaster, "postfix", "postqueue", "saslpasswd2"}) {
    if (find_program(program).empty()) return std::string(program) + " is not installed";
  }
  return std::nullopt;
}

TempPostfix::TempPostfix(const Options& options) {
  make_directories();
  write_configuration(options);
  write_sasl();
  start();
}

TempPostfix::~TempPostfix() {
  const pid_t group = master_->pid();
  ::kill(guard_, SIGKILL);
  ::waitpid(guard_, nullptr, 0);
  ::close(guard_pipe_);
  master_->stop(SIGTERM);
  // master's orphans are ours (start()): none may write into the directory that is about to go.
  // postlogd would wait a second or two for late lines.
  ::kill(-group, SIGKILL);
  wait_until([&] { return ::waitpid(-group, nullptr, WNOHANG) < 0 && errno == ECHILD; });
}

void TempPostfix::make_directories() const {
  for (const char* name : {"conf/ipmit", "conf/sasl", "data", "queue/pid", "queue/etc"}) {
    fs::create_directories(directory_ / name);
  }
  own(directory_ / "data", "postfix", "postfix", 0700);
  for (const char* name : {"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                           "incoming", "private", "saved", "trace"}) {
    fs::create_directory(queue_directory() / name);
    own(queue_directory() / name, "postfix", "root", 0700);
  }
  for (const auto& [name, mode] : {std::pair("maildrop", 0730U), std::pair("public", 0710U)}) {
    fs::create_directory(queue_directory() / name);
    own(queue_directory() / name, "postfix", "postdrop", mode);
  }
  fs::create_directory(queue_directory() / "ipmit");
  own(queue_directory() / "ipmit", "root", "postfix", 0750);
  // For the chrooted transport "slow".
  write_file(queue_directory() / "etc/hosts", "127.0.0.1 example.com example.net example.org\n");
}

void TempPostfix::write_configuration(const Options& options) const {
  std::string main_cf = read_file(kSource / "tests/support/postfix/main.cf.in");
  std::string master_cf = read_file(kSource / "tests/support/postfix/master.cf.in");
  const std::pair<const char*, std::string> marks[] = {
      {"@DIR@", directory_.path().string()},
      {"@NAME@", directory_.path().filename().string()},
      {"@CHROOT@", options.chroot ? "y" : "n"},
      {"@SMTP_PORT@", std::to_string(smtp_port_)},
      {"@SMTP6_PORT@", std::to_string(smtp6_port_)},
      {"@SUBMISSION_PORT@", std::to_string(submission_port_)},
      {"@SINK_PORT@", std::to_string(sink_.port())},
      {"@SLOW_PORT@", std::to_string(slow_sink_.port())},
  };
  for (const auto& [mark, value] : marks) {
    replace_all(main_cf, mark, value);
    replace_all(master_cf, mark, value);
  }
  if (options.filtered) {
    std::string fragment = read_file(kSource / "conf/postfix/main.cf");
    replace_all(fragment, "default_action=accept", "default_action=" + options.default_action);
    main_cf += fragment;
    for (const char* table : {"milter_header_checks", "header_checks"}) {
      fs::copy_file(kSource / "conf/postfix" / table, config_directory() / "ipmit" / table);
    }
  }
  for (const auto& line : options.main_cf) main_cf += line + "\n";
  write_file(config_directory() / "main.cf", without_repeats(main_cf));
  // Postfix waits until main.cf has been left alone for two seconds.
  fs::last_write_time(config_directory() / "main.cf",
                      fs::file_time_type::clock::now() - std::chrono::minutes(1));
  std::string reentry = read_file(kSource / "conf/postfix/master.cf");
  replace_all(reentry, "127.0.0.1:10026", "127.0.0.1:" + std::to_string(reentry_port_));
  write_file(config_directory() / "master.cf", master_cf + reentry);
}

void TempPostfix::write_sasl() const {
  const auto folder = config_directory() / "sasl";  // where Debian's smtpd looks for smtpd.conf
  const auto database = folder / "sasldb2";
  write_file(folder / "smtpd.conf",
             "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: " + database.string() +
                 "\nmech_list: PLAIN LOGIN\n");
  for (const auto user : {kUser, kOtherUser}) {
    const auto at = user.find('@');
    const auto made =
        run_command({"saslpasswd2", "-p", "-c", "-f", database.string(), "-u",
                     std::string(user.substr(at + 1)), std::string(user.substr(0, at))},
                    kPassword);
    if (made.status != 0) throw std::runtime_error("saslpasswd2: " + made.output);
  }
  own(database, "postfix", "postfix", 0600);
}

void TempPostfix::start() {
  // master's children that outlive it become ours, so that we can wait for their end.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  master_ = std::make_unique<ChildProcess>(Arguments{kMaster, "-c", config_directory().string()},
                                           directory_ / "master.out");
  start_guard();
  const bool started = wait_until(
      [this] { return log().find("daemon started") != std::string::npos || !master_->running(); });
  if (!started || !master_->running()) {
    throw std::runtime_error("Postfix did not start: " + read_file(directory_ / "master.out") +
                             log());
  }
}

// Ends Postfix when this process is killed: master changes its user id on the way, and with that
// Linux forgets the signal that ChildProcess asks for at a parent's death.
void TempPostfix::start_guard() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t master = master_->pid();
  guard_ = ::fork();
  if (guard_ < 0) throw std::runtime_error("fork");
  if (guard_ == 0) {
    ::close(ends[1]);
    char byte = 0;
    while (::read(ends[0], &byte, 1) > 0) {
    }
    ::kill(master, SIGTERM);
    ::_exit(0);
  }
  ::close(ends[0]);
  guard_pipe_ = ends[1];
}

std::string TempPostfix::log() const {
  return read_file(directory_ / "mail.log");
}

std::optional<std::string> TempPostfix::log_line(const std::vector<std::string>& parts) const {
  return find_line(log(), parts);
}

std::optional<std::string> TempPostfix::wait_for_log(const std::vector<std::string>& parts) const {
  std::optional<std::string> found;
  wait_until([&] { return (found = log_line(parts)).has_value(); });
  return found;
}

std::vector<TempPostfix::QueueEntry> TempPostfix::queue() const {
  const auto listed = run_command({"postqueue", "-c", config_directory().string(), "-j"});
  std::vector<QueueEntry> entries;
  std::istringstream lines(listed.output);
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    QueueEntry entry{json.at("queue_id"), json.at("queue_name"), json.at("sender"), {}};
    for (const auto& recipient : json.at("recipients")) {
      entry.recipients.push_back(recipient.at("address"));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::optional<TempPostfix::QueueEntry> TempPostfix::queued(std::string_view id) const {
  for (auto& entry : queue()) {
    if (entry.id == id) return entry;
  }
  return std::nullopt;
}

CommandResult TempPostfix::postsuper(const std::string& option, const std::string& id) const {
  return run_command({"postsuper", "-c", config_directory().string(), option, id});
}

CommandResult TempPostfix::flush() const {
  return run_command({"postqueue", "-c", config_directory().string(), "-f"});
}

CommandResult TempPostfix::check() const {
  return run_command({"postfix", "-c", config_directory().string(), "check"});
}

CommandResult TempPostfix::sendmail(const std::string& sender, const std::string& recipient,
                                    std::string_view text) const {
  return run_command(
      {"sendmail", "-C", config_directory().string(), "-i", "-f", sender, "--", recipient}, text);
}

}  // namespace ipmit::test
