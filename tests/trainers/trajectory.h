#pragma once

#include <cmath>
#include <filesystem>

#include "io/json.h"
#include "support/tiny_run.h"
#include "trainers/compare.h"

namespace hone::test {

/// The weights that a run ended with: of its adapter, or of the whole model.
inline std::filesystem::path product_of(const TinyRun& run) {
  const std::filesystem::path adapter = run.output() / "adapter" / "adapter_model.safetensors";
  return std::filesystem::exists(adapter) ? adapter : run.output() / "model" / "model.safetensors";
}

/// Compares a run with a fixture's trajectory.json, step by step, and the weights that both ended
/// with. 1e-4 is the bar of the issue; Adam divides by small numbers and so amplifies rounding.
/// @param keys metrics that both have, beside loss, grad_norm and learning_rate
inline void expect_trajectory(const TinyRun& run, const std::filesystem::path& fixture,
                              const std::vector<std::string>& keys) {
  const nlohmann::json expected = io::read_json(fixture / "trajectory.json");
  const std::vector<nlohmann::json> metrics = read_jsonl(run.output() / "metrics.jsonl");
  ASSERT_EQ(metrics.size(), expected.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto near = [&](const std::string& key, double absolute) {
      const double got = metrics[i][key], want = expected[i][key];
      EXPECT_LE(std::abs(got - want), 1e-4 * std::abs(want) + absolute)
          << key << " of step " << i + 1;
    };
    near("loss", 0);
    near("grad_norm", 0);
    EXPECT_NEAR(metrics[i]["learning_rate"].get<double>(), expected[i]["learning_rate"], 1e-15);
    for (const std::string& key : keys) near(key, 1e-5);  // they may be differences near 0
  }
  const bool is_adapter = std::filesystem::exists(fixture / "adapter_final");
  const std::filesystem::path end = is_adapter
                                        ? fixture / "adapter_final" / "adapter_model.safetensors"
                                        : fixture / "final" / "model.safetensors";
  EXPECT_LT(relative_difference(product_of(run), end), 1e-4);
}

}  // namespace hone::test
