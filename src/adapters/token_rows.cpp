#include "adapters/token_rows.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>

#include <map>
#include <set>

#include "adapters/pattern.h"
#include "base/error.h"

namespace hone::adapters {
namespace {

constexpr const char* kTokenIndices = "trainable_token_indices";

class TokenRowsAdapter final : public model::EmbeddingAdapter {
 public:
  TokenRowsAdapter(Tensor ids, Tensor rows) : ids_(std::move(ids)), rows_(std::move(rows)) {}

  Tensor rows(const Tensor& ids_N, const Tensor& weight) const override {
    // The place of each id among the trained ones, or −1; what is frozen is looked up as ever.
    const Tensor is_one = ids_N.unsqueeze(1) == ids_.unsqueeze(0);  // [N, ids]
    const Tensor place = is_one.to(torch::kInt64).argmax(1);
    const Tensor frozen = at::embedding(weight, ids_N).to(torch::kFloat32);
    return torch::where(is_one.any(1, true), at::embedding(rows_, place), frozen);
  }
  Tensor merged_weight(const Tensor& weight) const override {
    return weight.to(torch::kFloat32).index_copy(0, ids_, rows_);
  }

 private:
  Tensor ids_, rows_;
};

class RowsHeadAdapter final : public model::LinearAdapter {
 public:
  explicit RowsHeadAdapter(std::shared_ptr<const model::EmbeddingAdapter> rows)
      : rows_(std::move(rows)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    return at::linear(x, merged_weight(base).to(x.scalar_type()));
  }
  Tensor merged_weight(const model::Linear& base) const override {
    return rows_->merged_weight(base.weight);
  }

 private:
  std::shared_ptr<const model::EmbeddingAdapter> rows_;
};

constexpr const char* kEmbedding = "model.embed_tokens";
constexpr const char* kHead = "lm_head";

/// Tokens by the module's name in the model.
using Lists = std::map<std::string, std::vector<std::int64_t>>;

std::string module_named(const std::string& name, const char* key, const Settings& settings) {
  for (const char* module : {kEmbedding, kHead})
    if (is_suffix(name, module)) return module;
  throw ConfigError(
      fmt::format("{}: {}: rows of embed_tokens and lm_head can be trained, not of `{}`",
                  settings.where(), key, name));
}

Lists lists_of(const Method& method, const Settings& settings) {
  Lists lists;
  if (method.token_rows != nullptr) {
    std::vector<std::string> modules = settings.texts("target_modules");
    if (modules.empty()) modules = {kEmbedding};
    for (const std::string& name : modules)
      lists[module_named(name, "target_modules", settings)] = settings.integers("token_indices");
    return lists;
  }
  if (!settings.says(kTokenIndices)) return lists;
  const nlohmann::json& value = settings.values().at(kTokenIndices);
  if (!value.is_object()) return {{kEmbedding, settings.integers(kTokenIndices)}};
  for (const auto& [name, ids] : value.items())
    lists[module_named(name, kTokenIndices, settings)] =
        Settings({{"ids", ids}}, settings.where()).integers("ids");
  return lists;
}

void check_tokens(const std::string& module, const std::vector<std::int64_t>& ids,
                  const Settings& settings, std::int64_t vocab_size) {
  HONE_CHECK(ConfigError, !ids.empty(), "{}: no token of {} is named whose row is to be trained",
             settings.where(), module);
  HONE_CHECK(ConfigError, std::set(ids.begin(), ids.end()).size() == ids.size(),
             "{}: a token of {} whose row is to be trained is named twice", settings.where(),
             module);
  for (const std::int64_t id : ids)
    HONE_CHECK(ConfigError, id >= 0 && id < vocab_size,
               "{}: the token {} of {} is outside the vocabulary of {}", settings.where(), id,
               module, vocab_size);
}

}  // namespace

std::vector<TokenRows> token_rows_of(const Method& method, const Settings& settings,
                                     const model::Decoder& decoder) {
  const model::Spec& spec = decoder.spec;
  Lists lists = lists_of(method, settings);
  const auto of_head = lists.find(kHead);
  if (of_head != lists.end() && (spec.num_labels > 0 || spec.tie_word_embeddings)) {
    HONE_CHECK(
        ConfigError, spec.num_labels == 0 && lists[kEmbedding] == of_head->second,
        "{}: rows of lm_head are to be trained, but this model's head is {}", settings.where(),
        spec.num_labels > 0 ? "another one"
                            : "its embedding: name the same tokens for both, or embed_tokens");
    lists.erase(of_head);
  }
  std::vector<TokenRows> result;
  for (const auto& [module, ids] : lists) {
    check_tokens(module, ids, settings, spec.vocab_size);
    const Tensor& weight = module == kHead ? decoder.lm_head : decoder.embed_tokens;
    const Tensor places = torch::tensor(ids, torch::kInt64).to(weight.device());
    const std::string own_name =
        method.token_rows != nullptr ? method.token_rows : "token_adapter.trainable_tokens_delta";
    result.push_back({module, ids,
                      weight.detach().index_select(0, places).to(torch::kFloat32).clone(),
                      module + "." + own_name});
  }
  return result;
}

std::shared_ptr<const model::EmbeddingAdapter> token_rows_adapter(const TokenRows& tokens) {
  const Tensor ids = torch::tensor(tokens.ids, torch::kInt64).to(tokens.rows.device());
  return std::make_shared<TokenRowsAdapter>(ids, tokens.rows);
}

std::shared_ptr<const model::LinearAdapter> head_of_rows(
    std::shared_ptr<const model::EmbeddingAdapter> rows) {
  return std::make_shared<RowsHeadAdapter>(std::move(rows));
}

}  // namespace hone::adapters
