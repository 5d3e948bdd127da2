// SPDX-License-Identifier: Apache-2.0
#include "cli/input_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace ipmit::cli {

std::optional<common::Problem> read_in_pieces(const std::string& file, std::istream& standard_input,
                                              const std::function<void()>& start,
                                              const std::function<void(std::string_view)>& use) {
  std::ifstream own;
  if (file != "-") {
    errno = 0;
    own.open(file, std::ios::binary);
    if (own) own.peek();  // a directory opens, but does not read
    if (!own && !own.eof())
      return common::Problem{file +
                             ": cannot read: " + (errno != 0 ? std::strerror(errno) : "no file")};
    own.clear();
  }
  std::istream& in = file == "-" ? standard_input : own;
  start();
  std::array<char, 64 * 1024> buffer{};
  while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0)
    use({buffer.data(), static_cast<std::size_t>(in.gcount())});
  return std::nullopt;
}

}  // namespace ipmit::cli
