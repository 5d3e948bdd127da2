// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace ipmit::common {

// Failures of the environment (store, cache, file system, network). Thrown only by the files that
// wrap a foreign library, caught by one named loop per program. The question that picks the type:
// will the same call succeed later without anyone changing anything?
class TransientError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
class PermanentError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Why a piece of input was refused, in words for the person who wrote it ("host bits set, did you
// mean 203.0.113.0/24?"). Input that a person typed gets a Problem; input where "no" is an ordinary
// answer gets std::optional.
struct Problem {
  std::string reason;
};

// A value, or the Problem that kept it from being one. value() on a problem is a bug of the caller.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Result(Problem problem) : state_(std::move(problem)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }
  const T& value() const& { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }
  const T& operator*() const& { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  const T* operator->() const { return &std::get<T>(state_); }
  const std::string& problem() const { return std::get<Problem>(state_).reason; }

 private:
  std::variant<T, Problem> state_;
};

}  // namespace ipmit::common
