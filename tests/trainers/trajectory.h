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

/// The section `adapter` of a run that begins where the fixture's began.
inline std::string adapter_as(const std::filesystem::path& fixture) {
  const std::filesystem::path start = fixture / "adapter_init";
  return std::filesystem::exists(start) ? "{method: lora, init_from: '" + start.string() + "'}"
                                        : "{method: full}";
}

/// A metric that a run and a fixture both have, and how far apart they may be besides 1e-4 of the
/// fixture's. One that is a difference may be near 0.
struct Compared {
  const char* key;
  double absolute = 1e-5;
};

/// Compares a run with a fixture's trajectory.json, step by step, and the weights that both ended
/// with. 1e-4 is the bar of the issue; Adam divides by small numbers and so amplifies rounding.
/// @param others metrics beside loss, grad_norm and learning_rate
inline void expect_trajectory(const TinyRun& run, const std::filesystem::path& fixture,
                              const std::vector<Compared>& others) {
  const nlohmann::json expected = io::read_json(fixture / "trajectory.json");
  const std::vector<nlohmann::json> metrics = read_jsonl(run.output() / "metrics.jsonl");
  ASSERT_EQ(metrics.size(), expected.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto near = [&](const Compared& metric) {
      const double got = metrics[i].at(metric.key), want = expected[i].at(metric.key);
      EXPECT_LE(std::abs(got - want), 1e-4 * std::abs(want) + metric.absolute)
          << metric.key << " of step " << i + 1;
    };
    EXPECT_EQ(metrics[i]["step"], i + 1);
    near({"loss", 0});
    near({"grad_norm", 0});
    EXPECT_NEAR(metrics[i]["learning_rate"].get<double>(), expected[i]["learning_rate"], 1e-15);
    for (const Compared& metric : others) near(metric);
  }
  const bool is_adapter = std::filesystem::exists(fixture / "adapter_final");
  const std::filesystem::path end = is_adapter
                                        ? fixture / "adapter_final" / "adapter_model.safetensors"
                                        : fixture / "final" / "model.safetensors";
  EXPECT_LT(relative_difference(product_of(run), end), 1e-4);
}

}  // namespace hone::test
