#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace hone::test {

/// A folder of its own for one test, removed with everything in it at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  /// Writes a file below the folder and gives its path.
  std::filesystem::path write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

/// The fixtures made with the reference Python tools: all of them where the environment variable
/// HONE_GOLDEN names a folder that holds `relative`, else the small committed part (tests/data).
std::filesystem::path fixture(const std::string& relative);

/// True where `fixture` would find it.
bool has_fixture(const std::string& relative);

/// The repository's root.
std::filesystem::path source_folder();

/// Runs `action` and gives the message of the exception of type E that it throws; fails the test
/// where it throws nothing or something else.
template <class E, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "threw another type: " << error.what();
    return error.what();
  }
  ADD_FAILURE() << "threw nothing";
  return {};
}

/// EXPECT_TRUE(contains(text, part)) prints both when it fails.
testing::AssertionResult contains(const std::string& text, const std::string& part);

}  // namespace hone::test
