#include "datasets/joined.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace hone::datasets {
namespace {

class JoinedRows : public RowStore {
 public:
  explicit JoinedRows(std::vector<Dataset> parts) : parts_(std::move(parts)) {
    for (const Dataset& part : parts_) {
      rows_before_.push_back(rows_before_.back() + part.size());
      files_before_.push_back(files_before_.back() +
                              static_cast<std::int32_t>(part.info().files.size()));
    }
  }

  Example example(std::int64_t i) const override {
    const std::size_t part = part_of(i);
    Example example = parts_[part].example(i - rows_before_[part]);
    example.file += files_before_[part];
    return example;
  }

  RowFacts facts(std::int64_t i) const override {
    const std::size_t part = part_of(i);
    RowFacts facts = parts_[part].facts(i - rows_before_[part]);
    facts.file += files_before_[part];
    return facts;
  }

 private:
  std::size_t part_of(std::int64_t i) const {
    const auto after = std::upper_bound(rows_before_.begin(), rows_before_.end(), i);
    return static_cast<std::size_t>(after - rows_before_.begin()) - 1;
  }

  std::vector<Dataset> parts_;
  std::vector<std::int64_t> rows_before_{0};
  std::vector<std::int32_t> files_before_{0};
};

}  // namespace

Dataset join(const std::vector<Dataset>& parts) {
  if (parts.size() == 1) return parts.front();
  DatasetInfo info;
  RowTotals totals;
  std::vector<std::int64_t> lengths;
  std::vector<std::string> hashes;
  for (const Dataset& part : parts) {
    info.files.insert(info.files.end(), part.info().files.begin(), part.info().files.end());
    info.counts.add(part.counts());
    info.stop_ids = part.info().stop_ids;
    totals.append(part.totals());
    lengths.insert(lengths.end(), part.lengths().begin(), part.lengths().end());
    hashes.push_back(part.info().sha256);
  }
  info.sha256 = content_hash(hashes);
  return {std::move(info), totals, std::move(lengths), std::make_shared<JoinedRows>(parts)};
}

}  // namespace hone::datasets
