#include "adapters/token_rows.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>

#include <set>

#include "base/error.h"

namespace hone::adapters {
namespace {

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

class TiedHeadAdapter final : public model::LinearAdapter {
 public:
  explicit TiedHeadAdapter(std::shared_ptr<const model::EmbeddingAdapter> embedding)
      : embedding_(std::move(embedding)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    return at::linear(x, merged_weight(base).to(x.scalar_type()));
  }
  Tensor merged_weight(const model::Linear& base) const override {
    return embedding_->merged_weight(base.weight);
  }

 private:
  std::shared_ptr<const model::EmbeddingAdapter> embedding_;
};

}  // namespace

std::vector<std::int64_t> token_ids(const Settings& settings, const char* key,
                                    std::int64_t vocab_size) {
  const nlohmann::json& value = settings.values().at(key);
  if (value.is_object())
    HONE_CHECK(DataError, value.size() == 1 && value.contains("embed_tokens"),
               "{}: {}: rows of embed_tokens can be trained, got {}", settings.where(), key,
               value.dump());
  const Settings list(value.is_object() ? nlohmann::json{{key, value["embed_tokens"]}}
                                        : nlohmann::json{{key, value}},
                      settings.where());
  const std::vector<std::int64_t> ids = list.integers(key);
  HONE_CHECK(ConfigError, !ids.empty(), "{}: {} lists no token", settings.where(), key);
  HONE_CHECK(ConfigError, std::set(ids.begin(), ids.end()).size() == ids.size(),
             "{}: {} lists a token twice", settings.where(), key);
  for (const std::int64_t id : ids)
    HONE_CHECK(ConfigError, id >= 0 && id < vocab_size,
               "{}: {}: the token {} is outside the vocabulary of {}", settings.where(), key, id,
               vocab_size);
  return ids;
}

std::shared_ptr<const model::EmbeddingAdapter> token_rows_adapter(const TokenRows& tokens) {
  const Tensor ids = torch::tensor(tokens.ids, torch::kInt64).to(tokens.rows.device());
  return std::make_shared<TokenRowsAdapter>(ids, tokens.rows);
}

std::shared_ptr<const model::LinearAdapter> tied_head_adapter(
    std::shared_ptr<const model::EmbeddingAdapter> embedding) {
  return std::make_shared<TiedHeadAdapter>(std::move(embedding));
}

}  // namespace hone::adapters
