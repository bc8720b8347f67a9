#include "distributed/nccl.h"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "distributed/strategy.h"
#include "kernels/cuda_library.h"
#include "support/tiny_run.h"
#include "unit/distributed/rank_threads.h"

// What needs a GPU: NCCL between the ranks of a machine, and whole runs by every strategy.

namespace hone::distributed {
namespace {

/// Opens the CUDA library beside the program. @return why no GPU can be used; empty: it can
std::string why_no_gpu() {
  const auto library = std::filesystem::path(test::hone_binary()).parent_path() / "libhone_cuda.so";
  if (!std::filesystem::exists(library)) return "built without HONE_CUDA";
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) return dlerror();
  kernels::load_cuda();
  return at::getNumGPUs() > 0 ? "" : "this machine shows no GPU";
}

class Nccl : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_gpu(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

TEST_F(Nccl, OfOneRankGivesItsOwn) {
  const auto backend = open_nccl({.store = c10::make_intrusive<c10d::HashStore>(),
                                  .rank = 0,
                                  .world = 1,
                                  .device = torch::Device(torch::kCUDA, 0),
                                  .timeout = std::chrono::seconds(60)});
  std::vector<Tensor> tensors = {torch::arange(6, torch::kFloat32).to(torch::kCUDA)};
  backend->allreduce(tensors)->wait();
  EXPECT_TRUE(torch::equal(tensors[0].cpu(), torch::arange(6, torch::kFloat32)));
  std::vector<std::vector<Tensor>> gathered = {{torch::zeros_like(tensors[0])}};
  backend->allgather(gathered, tensors)->wait();
  EXPECT_TRUE(torch::equal(gathered[0][0], tensors[0]));
  backend->shutdown();
}

TEST_F(Nccl, OfSeveralRanksGivesWhatGlooGives) {
  const auto world = static_cast<int>(at::getNumGPUs());
  if (world < 2) GTEST_SKIP() << "NCCL wants a GPU of its own for each rank; there is one";
  const int port = next_port();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank)
    threads.emplace_back([=] {
      const torch::Device device(torch::kCUDA, static_cast<torch::DeviceIndex>(rank));
      Group group = Group::join({rank, world, rank, "127.0.0.1", port, "a test"},
                                with_patience(60, 60), device);
      const Tensor on_gpu = torch::full({1000}, float(rank + 1)).to(device);
      const Tensor on_host = torch::full({1000}, float(rank + 1));
      group.all_reduce(on_gpu, "numbers");
      group.all_reduce(on_host, "numbers");
      EXPECT_TRUE(torch::equal(on_gpu.cpu(), on_host));
      const Tensor parts = group.all_to_all(on_gpu.narrow(0, 0, 8 * world).contiguous(), "numbers");
      EXPECT_TRUE(parts.is_cuda());
      group.close();
    });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Nccl, RunsOfEveryStrategyTakeTheStepsOfOneProcess) {
  for (const char* adapter : {"{method: lora, r: 4}", "{method: full}"}) {
    const test::TinyRun alone(adapter);
    const test::Finished first =
        test::run_hone(alone.train({"--device", "cuda", "train.max_steps=4"}));
    ASSERT_EQ(first.exit_code, 0) << first.err;
    const auto steps = test::read_jsonl(alone.output() / "metrics.jsonl");
    for (const Strategy& strategy : strategies()) {
      const test::TinyRun run(adapter);
      std::vector<std::string> command = {
          "launch", "--nproc", std::to_string(std::min<std::int64_t>(2, at::getNumGPUs())), "--"};
      const auto train = run.train(
          {"--device", "cuda", "train.max_steps=4",
           fmt::format("train.gradient_accumulation_steps={}", at::getNumGPUs() > 1 ? 2 : 4),
           fmt::format("distributed.strategy={}", strategy.name)});
      command.insert(command.end(), train.begin(), train.end());
      const test::Finished finished = test::run_hone(command);
      ASSERT_EQ(finished.exit_code, 0) << strategy.name << ": " << finished.err;
      const auto shared = test::read_jsonl(run.output() / "metrics.jsonl");
      ASSERT_EQ(shared.size(), steps.size());
      for (std::size_t i = 0; i < steps.size(); ++i)
        EXPECT_NEAR(shared[i]["loss"].get<double>(), steps[i]["loss"].get<double>(), 1e-5)
            << strategy.name << " step " << i + 1;
    }
  }
}

}  // namespace
}  // namespace hone::distributed
