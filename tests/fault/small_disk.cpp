#include "fault/small_disk.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <fstream>

namespace hone::test {

namespace fs = std::filesystem;

bool mount_small_disk(const fs::path& place, const char* options) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return ::mount("tmpfs", place.c_str(), "tmpfs", 0, options) == 0;
}

void fill_disk(const fs::path& disk, std::uint64_t left_bytes) {
  struct statvfs info {};
  ASSERT_EQ(::statvfs(disk.c_str(), &info), 0);
  const std::uint64_t free_bytes = info.f_bavail * info.f_bsize;
  ASSERT_GE(free_bytes, left_bytes);
  std::ofstream(disk / "ballast") << std::string(free_bytes - left_bytes, 'x');
}

}  // namespace hone::test
