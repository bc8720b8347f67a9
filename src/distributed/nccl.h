#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>

namespace hone::distributed {

/// A rank as NCCL wants to know it.
struct NcclPlace {
  c10::intrusive_ptr<c10d::Store> store;  ///< through which the ranks meet
  int rank, world;
  torch::Device device;               ///< this rank's GPU, of no other rank
  std::chrono::milliseconds timeout;  ///< of NCCL's own; ours comes first
};

/// c10d's ProcessGroupNCCL, connected. It is made by libhone_cuda.so, as everything of NCCL is;
/// that it has been loaded is what a tensor on a GPU shows.
/// @throws Error where the library is missing or of another build
c10::intrusive_ptr<c10d::Backend> open_nccl(const NcclPlace& place);

/// What libhone_cuda.so has under kNcclSymbol.
using MakeNccl = c10::intrusive_ptr<c10d::Backend> (*)(const NcclPlace& place);
using MakeNcclFunction = MakeNccl (*)();
constexpr const char* kNcclSymbol = "hone_make_nccl";

}  // namespace hone::distributed
