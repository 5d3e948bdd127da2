// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include <sys/mman.h>

namespace ipmit::policy {

// Asks for huge pages where a block is large: a look-up in a million rules then waits for the
// memory itself, not for page tables as well. Where the system has none, it is ordinary memory.
template <typename T>
struct HugePages {
  using value_type = T;
  static constexpr std::size_t kPage = std::size_t{2} << 20;

  HugePages() = default;
  template <typename Other>
  HugePages(const HugePages<Other>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    void* const block = ::operator new(bytes, alignment(count));
    if (bytes >= kPage) madvise(block, bytes, MADV_HUGEPAGE);
    return static_cast<T*>(block);
  }
  void deallocate(T* block, std::size_t count) { ::operator delete(block, alignment(count)); }

  template <typename Other>
  bool operator==(const HugePages<Other>&) const {
    return true;
  }

 private:
  static std::align_val_t alignment(std::size_t count) {
    return std::align_val_t(count * sizeof(T) >= kPage ? kPage : 64);
  }
};

template <typename T>
using BigVector = std::vector<T, HugePages<T>>;

}  // namespace ipmit::policy
