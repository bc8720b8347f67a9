#include "adapters/eva.h"

#include <ATen/ops/linalg_svd.h>

#include "config/load.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/load.h"
#include "model/weights.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

using nlohmann::json;

model::Decoder tiny_llama() {
  return model::load_decoder(test::fixture("adapters/_base_llama"), {});
}

/// Rows whose variance falls from direction to direction, [N, 24].
Tensor sloping_rows(std::int64_t n) {
  const Tensor slope = torch::pow(0.5, torch::arange(24, torch::kFloat64));
  const Tensor turn = std::get<0>(at::linalg_svd(torch::randn({24, 24}, torch::kFloat64)));
  return (torch::randn({n, 24}, torch::kFloat64) * slope).mm(turn) + 0.3;
}

/// How much of the space of `b`'s rows is in that of `a`'s: 1 where it is all. Rows orthonormal.
double overlap(const Tensor& a, const Tensor& b) {
  const Tensor cosines = a.to(torch::kFloat64).mm(b.to(torch::kFloat64).t());
  return (cosines.square().sum() / double(b.size(0))).item<double>();
}

TEST(IncrementalPca, FindsWhatASvdOfAllRowsFinds) {
  torch::manual_seed(1);
  const Tensor rows = sloping_rows(300);
  IncrementalPca pca(6);
  // Batches of different sizes whose means are not the whole's.
  const Tensor sorted = rows.index_select(0, rows.select(1, 0).argsort());
  for (const auto& [begin, end] : {std::pair{0, 40}, std::pair{40, 170}, std::pair{170, 300}})
    pca.fit(sorted.slice(0, begin, end));
  EXPECT_EQ(pca.rows_seen(), 300);
  const Tensor centred = rows - rows.mean(0);
  const auto [u, s, vh] = at::linalg_svd(centred, false);
  EXPECT_GT(overlap(pca.directions(), vh.narrow(0, 0, 6)), 0.98);
  EXPECT_GT(overlap(pca.directions().narrow(0, 0, 2), vh.narrow(0, 0, 2)), 0.999);
  const Tensor shares = s.square() / centred.square().sum();
  EXPECT_LT(test::relative_error(pca.explained().narrow(0, 0, 3), shares.narrow(0, 0, 3)), 0.02);
}

TEST(IncrementalPca, IsExactInOneBatch) {
  torch::manual_seed(2);
  const Tensor rows = sloping_rows(200);
  IncrementalPca pca(5);
  pca.fit(rows);
  const Tensor centred = rows - rows.mean(0);
  const auto [u, s, vh] = at::linalg_svd(centred, false);
  EXPECT_GT(overlap(pca.directions(), vh.narrow(0, 0, 5)), 1 - 1e-4);
  EXPECT_LT(test::relative_error(pca.singular_values(), s.narrow(0, 0, 5)), 1e-4);
  EXPECT_TRUE(
      (std::get<0>(pca.directions().max(1)) >= pca.directions().abs().amax(1)).all().item<bool>());
}

/// q_proj, k_proj and v_proj, which are given the same.
constexpr int kLayersAtOnce = 3;

/// What PEFT found: see make_eva.py.
class EvaParity : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder_ = test::fixture(std::string("adapters/") + GetParam());
  io::SafetensorsFile batches_{folder_ / "batches.safetensors"};
  json saved_ = io::read_json(folder_ / "adapter_config.json");
  model::Decoder decoder_ = tiny_llama();
  const Method& method_ = *find_method("lora");

  /// The settings that PEFT was given.
  Settings settings() const {
    AdapterOptions options = defaults_with_targets();
    return settings_of(options);
  }
  AdapterOptions defaults_with_targets() const;
  void see(EvaSearch& search, int batch) const {
    const auto part = [&](const char* key) {
      return model::to_tensor(*batches_.find(fmt::format("{}.{}", key, batch)));
    };
    const Tensor ids = part("input_ids"), labels = part("labels");
    const std::int64_t rows = ids.size(0), columns = ids.size(1);
    std::vector<std::int64_t> borders;
    for (std::int64_t r = 0; r <= rows; ++r) borders.push_back(r * columns);
    search.see({ids.flatten(), torch::arange(columns).repeat({rows}), borders},
               labels.flatten().ne(-100).nonzero().flatten());
  }
};

AdapterOptions EvaParity::defaults_with_targets() const {
  const bool whiten = std::string(GetParam()) == "eva_whiten";
  AdapterOptions options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.r = whiten ? 3 : 4;
  options.lora_alpha = 8;
  options.init_lora_weights = "eva";
  options.eva_rho = whiten ? 1.0 : 2.0;
  options.eva_whiten = whiten;
  options.target_modules =
      whiten ? std::vector<std::string>{"q_proj", "k_proj", "v_proj", "down_proj"}
             : std::vector<std::string>{"q_proj", "o_proj", "gate_proj", "down_proj"};
  return options;
}

TEST_P(EvaParity, FindsTheRanksAndDirectionsThatPeftFinds) {
  const Settings settings = this->settings();
  EvaStart start;
  {
    EvaSearch search(decoder_, method_, settings);
    for (int batch = 0; batch < 200 && !search.has_converged(); ++batch) see(search, batch % 4);
    EXPECT_TRUE(search.has_converged());
    start = search.start();
  }
  Adapter found = make_eva_adapter(decoder_, method_, settings, 1, start);
  Adapter theirs = load_adapter(folder_, decoder_);
  ASSERT_EQ(found.modules.size(), theirs.modules.size());
  for (const char* key : {"rank_pattern", "alpha_pattern"})
    EXPECT_EQ(found.settings.values()[key], saved_[key]) << key;
  for (std::size_t i = 0; i < found.modules.size(); ++i) {
    const Tensor ours = found.modules[i].tensors.at("lora_A.weight"),
                 other = theirs.modules[i].tensors.at("lora_A.weight");
    EXPECT_EQ(found.modules[i].site.name, theirs.modules[i].site.name);
    ASSERT_EQ(ours.sizes(), other.sizes()) << found.modules[i].site.name;
    // Both iterate from random numbers of their own: directions that explain nearly the same may
    // turn into each other, the space that they span stays.
    const Tensor of_ours = ours / ours.norm(2, 1, true), of_theirs = other / other.norm(2, 1, true);
    EXPECT_GT(overlap(of_ours, of_theirs), 0.98) << found.modules[i].site.name;
    EXPECT_GT((of_ours[0] * of_theirs[0]).sum().item<double>(), 0.99);
    // Singular values grow with the batches seen, which are not as many here as there.
    const auto relative = [](const Tensor& norms) { return norms / norms[0]; };
    // PEFT whitens in place, so that layers that share their input are whitened once for each.
    const int times = found.modules[i].site.name.ends_with("down_proj") ? 1 : kLayersAtOnce;
    // Directions that are not whitened have norm 1, whatever the power.
    EXPECT_LT(test::relative_error(relative(ours.norm(2, 1)),
                                   relative(other.norm(2, 1)).pow(1.0 / times)),
              1e-2);
    EXPECT_EQ(found.modules[i].tensors.at("lora_B.weight").count_nonzero().item<int>(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Configs, EvaParity, testing::Values("eva", "eva_whiten"),
                         [](const auto& one) { return std::string(one.param); });

/// Keeps all that a layer is given.
class Keeper final : public model::LinearAdapter {
 public:
  explicit Keeper(std::vector<Tensor>* kept) : kept_(kept) {}
  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    kept_->push_back(x.to(torch::kFloat64));
    return base.base_forward(x);
  }
  Tensor merged_weight(const model::Linear& base) const override { return base.weight; }

 private:
  std::vector<Tensor>* kept_;
};

class Eva : public testing::Test {
 protected:
  model::Decoder decoder_ = tiny_llama();
  const Method& method_ = *find_method("lora");
  AdapterOptions options_ = [] {
    AdapterOptions options = config::defaults<AdapterOptions>();
    options.method = "lora";
    options.r = 4;
    options.init_lora_weights = "eva";
    return options;
  }();
  static model::TokenStream tokens(int seed, std::int64_t count = 400) {
    torch::manual_seed(seed);
    const Tensor ids = (torch::rand({count}).pow(3) * 320).to(torch::kInt64);
    return {ids, torch::arange(count), {0, count}};
  }
};

TEST_F(Eva, TheDirectionsAreThoseOfASvdOfAllInputsInFp64) {
  const torch::NoGradGuard no_grad;
  const model::TokenStream seen = tokens(3);
  EvaStart start;
  {
    EvaSearch search(decoder_, method_, settings_of(options_));
    while (!search.has_converged()) search.see(seen, {});
    EXPECT_EQ(search.modules(), 14);
    EXPECT_EQ(search.inputs(), 8) << "of a layer: q, k, v; o; gate, up; down";
    start = search.start();
  }
  std::int64_t ranks = 0;
  for (const auto& [name, a] : start) {
    std::vector<Tensor> kept;
    model::for_each_linear(decoder_, [&, &name = name](model::Linear& linear) {
      EXPECT_EQ(linear.adapter, nullptr) << "nothing listens any more";
      if (linear.name == name) linear.adapter = std::make_shared<Keeper>(&kept);
    });
    model::hidden_states(decoder_, seen);
    model::for_each_linear(decoder_, [](model::Linear& linear) { linear.adapter.reset(); });
    const Tensor inputs = torch::cat(kept), centred = inputs - inputs.mean(0);
    const auto [u, s, vh] = at::linalg_svd(centred, false);
    EXPECT_GT(overlap(a, vh.narrow(0, 0, a.size(0))), 0.999) << name;
    ranks += a.size(0);
  }
  EXPECT_EQ(ranks, 14 * options_.r) << "the budget is spent, and no more";
}

TEST_F(Eva, OnlyTheRowsThatAreNamedAreLookedAt) {
  options_.eva_rho = 1;
  const Tensor some = torch::arange(0, 400, 2);
  const auto found = [&](const Tensor& rows, const model::TokenStream& seen) {
    EvaSearch search(decoder_, method_, settings_of(options_));
    for (int i = 0; i < 3; ++i) search.see(seen, rows);
    return search.start().at("model.layers.0.mlp.down_proj");
  };
  model::TokenStream seen = tokens(4);
  const Tensor all = found({}, seen), half = found(some, seen);
  EXPECT_FALSE(all.size(0) == half.size(0) && all.allclose(half));
  EXPECT_TRUE(half.equal(found(some, seen))) << "the same data give the same bits";
}

TEST_F(Eva, WithRhoOneEveryRankStaysAndTheModelBeginsAsItsBase) {
  options_.eva_rho = 1;
  options_.rank_pattern = {{"k_proj", 2}};
  const Settings settings = settings_of(options_);
  EvaStart start;
  {
    EvaSearch search(decoder_, method_, settings);
    for (int i = 0; i < 4; ++i) search.see(tokens(i), {});
    start = search.start();
  }
  for (const auto& [name, a] : start)
    EXPECT_EQ(a.size(0), name.ends_with("k_proj") ? 2 : 4) << name;
  const Tensor before = model::hidden_states(decoder_, tokens(9));
  Adapter adapter = make_eva_adapter(decoder_, method_, settings, 1, start);
  attach(adapter, decoder_);
  EXPECT_TRUE(model::hidden_states(decoder_, tokens(9)).equal(before));
}

TEST_F(Eva, FewTokensWaitForMoreAndTooFewAreRefused) {
  EvaSearch search(decoder_, method_, settings_of(options_));
  search.see(tokens(5, 6), {});
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] { search.start(); }),
                             "fewer tokens than the 8 directions"));
  search.see(tokens(6, 6), {});
  EXPECT_NO_THROW(search.start());
}

}  // namespace
}  // namespace hone::adapters
