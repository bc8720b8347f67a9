#include "optim/clip.h"

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/safetensors.h"
#include "model/weights.h"
#include "support/support.h"

namespace hone::optim {
namespace {

TEST(ClipGradNorm, ScalesAsTorchDoes) {
  const io::SafetensorsFile file(test::fixture("optim/clip_grad_norm/data.safetensors"));
  const nlohmann::json cases = io::read_json(test::fixture("optim/clip_grad_norm/cases.json"));
  int compared = 0;
  for (std::size_t c = 0; c < cases.size(); ++c) {
    if (cases[c]["norm_type"] != "2.0") continue;
    std::vector<Parameter> parameters;
    for (int i = 0; file.find(fmt::format("grad.{}", i)) != nullptr; ++i) {
      const Tensor gradient = model::to_tensor(*file.find(fmt::format("grad.{}", i)));
      parameters.push_back({"p", torch::zeros_like(gradient).requires_grad_()});
      parameters.back().tensor.mutable_grad() = gradient;
    }
    ASSERT_FALSE(parameters.empty());
    const double max_norm = cases[c]["max_norm"];
    const double norm = clip_grad_norm(parameters, max_norm);
    EXPECT_NEAR(norm / cases[c]["total_norm"].get<double>(), 1.0, 1e-6);
    for (std::size_t i = 0; i < parameters.size(); ++i, ++compared) {
      const io::TensorView* expected = file.find(fmt::format("clipped.{:.1f}.2.0.{}", max_norm, i));
      ASSERT_NE(expected, nullptr);
      EXPECT_TRUE(torch::allclose(parameters[i].tensor.grad(), model::to_tensor(*expected), 1e-6));
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(ClipGradValue, CutsEveryElementAndNothingElse) {
  const Tensor tensor = torch::zeros({4}).requires_grad_();
  const Tensor without = torch::zeros({1}).requires_grad_();
  tensor.mutable_grad() = torch::tensor({-3.0f, -0.5f, 0.25f, 2.0f});
  clip_grad_value({{"p", tensor}, {"q", without}}, 0);
  EXPECT_EQ(tensor.grad()[0].item<float>(), -3.0f);
  clip_grad_value({{"p", tensor}, {"q", without}}, 0.5);
  EXPECT_TRUE(tensor.grad().equal(torch::tensor({-0.5f, -0.5f, 0.25f, 0.5f})));
}

TEST(ClipGradNorm, ReportsANormThatIsNotFiniteAndLeavesTheGradients) {
  const Tensor tensor = torch::zeros({2}).requires_grad_();
  tensor.mutable_grad() = torch::tensor({NAN, 1.0f});
  EXPECT_TRUE(std::isnan(clip_grad_norm({{"p", tensor}}, 1.0)));
  EXPECT_EQ(tensor.grad()[1].item<float>(), 1.0f);
}

}  // namespace
}  // namespace hone::optim
