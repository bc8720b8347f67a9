#include "io/hdf5.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numeric>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "support/support.h"

namespace hone::io {
namespace {

class Hdf5 : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "a.h5"; }

  /// A file with the numbers 0 to 999, appended in pieces.
  void write_numbers(const Hdf5Layout& layout) const {
    Hdf5File file = Hdf5File::create(path());
    Hdf5Dataset numbers = file.add_dataset("numbers", kI32, layout);
    for (std::int32_t first = 0, piece = 1; first < 1000; first += piece, piece += 7) {
      std::vector<std::int32_t> values(static_cast<std::size_t>(std::min(piece, 1000 - first)));
      std::iota(values.begin(), values.end(), first);
      numbers.append(values.data(), std::ssize(values));
    }
    file.set_attribute("about", "numbers");
    file.close();
  }

  const Hdf5Type kI32 = Hdf5Type::of(Hdf5Number::kI32);
  test::TempFolder folder_;
};

TEST_F(Hdf5, GivesBackAnyStretchInEveryLayout) {
  for (const Hdf5Layout layout :
       {Hdf5Layout{}, Hdf5Layout{.chunk_items = 13}, Hdf5Layout{.chunk_items = 64, .deflate = 1}}) {
    write_numbers(layout);
    const Hdf5File file = Hdf5File::open(path());
    EXPECT_EQ(file.attribute("about"), "numbers");
    const Hdf5Dataset numbers = file.dataset("numbers", kI32);
    ASSERT_EQ(numbers.size(), 1000);
    for (const auto& [first, count] : {std::pair{0, 1000}, {12, 2}, {999, 1}, {500, 0}}) {
      std::vector<std::int32_t> values(static_cast<std::size_t>(count));
      numbers.read(first, count, values.data());
      for (int i = 0; i < count; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], first + i);
    }
  }
}

TEST_F(Hdf5, KeepsRecordsByTheirFields) {
  struct Point {
    double x;
    std::int32_t n, m;
  };
  const Hdf5Type type = {sizeof(Point),
                         {{"x", Hdf5Number::kF64, offsetof(Point, x)},
                          {"n", Hdf5Number::kI32, offsetof(Point, n)},
                          {"m", Hdf5Number::kI32, offsetof(Point, m)}}};
  {
    Hdf5File file = Hdf5File::create(path());
    const Point points[] = {{0.1, 1, -1}, {-0.2, 2, -2}};
    file.add_dataset("points", type).append(points, 2);
    file.close();
  }
  const Hdf5File file = Hdf5File::open(path());
  Point last{};
  file.dataset("points", type).read(1, 1, &last);
  EXPECT_EQ(last.x, -0.2);
  EXPECT_EQ(last.n, 2);
  EXPECT_EQ(last.m, -2);
}

TEST_F(Hdf5, IsTheSameFileWheneverItIsWritten) {
  write_numbers({});
  const std::string first = read_file(path());
  ::sleep(1);  // object headers would keep the time in seconds
  write_numbers({});
  EXPECT_EQ(read_file(path()), first);
}

TEST_F(Hdf5, TellsWhatIsMissingOrOfAnotherKind) {
  write_numbers({});
  const Hdf5File file = Hdf5File::open(path());
  const auto message = [](auto action) { return test::message_of<DataError>(action); };
  EXPECT_TRUE(test::contains(message([&] { file.dataset("nothing", kI32); }), "a.h5: nothing"));
  EXPECT_TRUE(test::contains(
      message([&] { file.dataset("numbers", Hdf5Type::of(Hdf5Number::kF32)); }), "another type"));
  EXPECT_TRUE(test::contains(message([&] { file.attribute("other"); }), "a.h5: has no attribute"));
  std::int32_t value = 0;
  const Hdf5Dataset numbers = file.dataset("numbers", kI32);
  EXPECT_TRUE(
      test::contains(message([&] { numbers.read(999, 2, &value); }), "999 to 1001 of 1000"));
  EXPECT_TRUE(test::contains(message([&] { numbers.read(-1, 1, &value); }), "a.h5: numbers"));
}

TEST_F(Hdf5, RefusesWhatIsNoHdf5FileWithoutAWord) {
  const auto refusal = [](const std::filesystem::path& file) {
    testing::internal::CaptureStderr();
    const std::string message = test::message_of<DataError>([&] { Hdf5File::open(file); });
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "HDF5 prints nothing itself";
    return message;
  };
  EXPECT_TRUE(test::contains(refusal(folder_.write("no.h5", "not one")), "no.h5"));
  EXPECT_TRUE(test::contains(refusal(folder_ / "missing.h5"), "no such file"));
  EXPECT_TRUE(test::contains(refusal(folder_.path()), "is a folder"));
  write_numbers({});
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) / 2);
  EXPECT_TRUE(test::contains(refusal(path()), "cannot be opened as HDF5"));
  std::string from_a_thread;
  std::thread([&] { from_a_thread = refusal(path()); }).join();
  EXPECT_FALSE(from_a_thread.empty());
}

TEST_F(Hdf5, TellsThatAFileCannotBeMade) {
  const std::string message =
      test::message_of<IoError>([] { Hdf5File::create("/no/such/folder/a.h5"); });
  EXPECT_TRUE(test::contains(message, "/no/such/folder/a.h5: cannot be made"));
  EXPECT_TRUE(test::contains(message, "No such file or directory"));
}

TEST_F(Hdf5, ManyThreadsMayRead) {
  write_numbers({.chunk_items = 32});
  const Hdf5File file = Hdf5File::open(path());
  const Hdf5Dataset numbers = file.dataset("numbers", kI32);
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        std::int32_t value = -1;
        const int place = (i * 7 + t) % 1000;
        numbers.read(place, 1, &value);
        wrong += value != place;
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace hone::io
