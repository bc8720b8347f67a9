#pragma once

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/safetensors.h"
#include "model/weights.h"
#include "support/support.h"

namespace hone::loss {

/// A folder of tests/data/losses: TRL's values and gradients.
struct LossFixture {
  explicit LossFixture(const std::string& name)
      : cases(io::read_json(test::fixture("losses/" + name + "/cases.json"))),
        file(test::fixture("losses/" + name + "/data.safetensors")) {}

  torch::Tensor read(const std::string& name) const {
    return model::to_tensor(*file.find(name)).to(torch::kFloat32);
  }

  nlohmann::json cases;
  io::SafetensorsFile file;
};

/// Both compute in fp32, in another order of operations: some units in the last place, 1e-6.
inline void expect_close(const torch::Tensor& got, const torch::Tensor& expected,
                         const std::string& what) {
  EXPECT_TRUE(torch::allclose(got, expected, 1e-6, 1e-6))
      << what << ": largest difference " << (got - expected).abs().max().item<double>();
}

inline void expect_loss(const torch::Tensor& got, const nlohmann::json& expected,
                        const std::string& what) {
  const double value = expected.get<double>();
  EXPECT_NEAR(got.item<double>(), value, 1e-6 * std::max(1.0, std::abs(value))) << what;
}

}  // namespace hone::loss
