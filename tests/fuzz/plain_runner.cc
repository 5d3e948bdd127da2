// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer: every seed file of a folder, then mutations of it, the same
// ones on each run. A finding is a crash, an assertion or a sanitizer report. usage: PROGRAM DIR
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kMutationsPerSeed = 300;

void run(const std::string& input) {
  // A copy of exactly that size, so that AddressSanitizer sees a read past the end.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& seeds) : seeds_(seeds) {}

  std::string mutate(std::string input) {
    for (std::size_t step = 1 + number(4); step > 0; --step) change(input);
    return input;
  }

 private:
  std::size_t number(std::size_t below) { return static_cast<std::size_t>(random_() % below); }

  void change(std::string& input) {
    const std::size_t at = number(input.size() + 1);
    const std::size_t length = std::min(number(32), input.size() - at);
    switch (number(6)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << number(8)));
        break;
      case 1:
        input.insert(at, 1, static_cast<char>(number(256)));
        break;
      case 2:
        input.erase(at, length);
        break;
      case 3:
        input.insert(at, input.substr(at, length));
        break;
      case 4:
        input.resize(at);
        break;
      default:
        splice(input, at);
    }
  }

  void splice(std::string& input, std::size_t at) {
    const std::string& other = seeds_[number(seeds_.size())];
    const std::size_t from = number(other.size() + 1);
    input.resize(at);
    input += other.substr(from);
  }

  const std::vector<std::string>& seeds_;
  std::minstd_rand random_{20260101};
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> paths;
  if (argc == 2 && std::filesystem::is_directory(argv[1]))
    for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds{""};
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (paths.empty()) {
    std::fprintf(stderr, "usage: %s DIR, a folder with seed files\n", argv[0]);
    return 2;
  }
  Mutator mutator(seeds);
  for (const std::string& seed : seeds) {
    run(seed);
    for (int i = 0; i < kMutationsPerSeed; ++i) run(mutator.mutate(seed));
  }
  std::printf("%zu seeds, %d mutations of each\n", seeds.size(), kMutationsPerSeed);
  return 0;
}
