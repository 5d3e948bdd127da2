// SPDX-License-Identifier: Apache-2.0
#include "cli/input_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/descriptor.h"

namespace ipmit::cli {
namespace {

// -1 with errno set.
ssize_t read_some(int fd, char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(fd, buffer, size);
    if (got >= 0 || errno != EINTR) return got;
  }
}

std::optional<common::Problem> read_standard_input(std::istream& in, const PieceReader& reader) {
  reader.start();
  std::array<char, 64 * 1024> buffer{};
  for (;;) {
    reader.idle();
    const std::size_t got = read_input(in, buffer.data(), buffer.size());
    if (got == 0) return std::nullopt;
    reader.use({buffer.data(), got});
  }
}

}  // namespace

std::size_t read_input(std::istream& in, char* buffer, std::size_t size) {
  if (&in != &std::cin) {
    in.read(buffer, static_cast<std::streamsize>(size));
    return static_cast<std::size_t>(in.gcount());
  }
  const ssize_t got = read_some(STDIN_FILENO, buffer, size);
  if (got >= 0) return static_cast<std::size_t>(got);
  throw common::PermanentError(std::string("standard input: ") + std::strerror(errno));
}

std::optional<common::Problem> read_in_pieces(const std::string& file, std::istream& standard_input,
                                              const PieceReader& reader) {
  if (file == "-") return read_standard_input(standard_input, reader);
  const auto cannot_read = [&](int reason) {
    return common::Problem{file + ": cannot read: " + std::strerror(reason)};
  };
  const common::Descriptor input(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat about {};
  if (input.fd() < 0 || ::fstat(input.fd(), &about) != 0) return cannot_read(errno);
  if (S_ISDIR(about.st_mode)) return cannot_read(EISDIR);
  reader.start();
  std::array<char, 64 * 1024> buffer{};
  for (;;) {
    if (!S_ISREG(about.st_mode)) reader.idle();
    const ssize_t got = read_some(input.fd(), buffer.data(), buffer.size());
    if (got < 0) return cannot_read(errno);
    if (got == 0) return std::nullopt;
    reader.use({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace ipmit::cli
