#include "kernels/cuda_library.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/support.h"

namespace hone::kernels {
namespace {

TEST(CudaLibrary, SaysWhatIsMissing) {
  // The test programs' folder holds no libhone_cuda.so, and the loader knows none.
  const std::string message = test::message_of<Error>([] { load_cuda(); });
  EXPECT_TRUE(test::contains(message, "libhone_cuda.so could not be opened"));
  EXPECT_TRUE(test::contains(message, "--device cpu"));
  EXPECT_FALSE(cuda_is_loaded());
  EXPECT_THROW(cuda_table(), Error);
}

}  // namespace
}  // namespace hone::kernels
