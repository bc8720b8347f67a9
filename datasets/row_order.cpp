#include "datasets/row_order.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/philox.h"

namespace hone::datasets {
namespace {

/// Each use of a shuffle has a lane: the stage as a whole, one of its sources, or what a cap takes
/// of one. The first stage as a whole is lane 0.
constexpr std::size_t kMaxStages = 1 << 10, kMaxSources = 1 << 12;

std::uint64_t stage_lane(std::size_t stage) { return static_cast<std::uint64_t>(stage) << 14; }
std::uint64_t source_lane(std::size_t stage, std::size_t source) {
  return stage_lane(stage) + 2 * static_cast<std::uint64_t>(source) + 2;
}
std::uint64_t cap_lane(std::size_t stage, std::size_t source) {
  return source_lane(stage, source) + 1;
}

struct Shares {
  std::vector<double> shares;  // of the draws; they sum to 1
  std::vector<std::int64_t> rows;
};

/// The draws of one pass, as (source, how often it was drawn before).
template <class Draw>
std::vector<Draw> interleave(const Shares& of, Mixing mixing, std::int64_t limit) {
  std::vector<Draw> draws;
  std::vector<std::int64_t> counts(of.rows.size(), 0);
  std::size_t exhausted = 0;
  const std::size_t enough = mixing == Mixing::kFirstExhausted ? 1 : of.rows.size();
  while (exhausted < enough) {
    HONE_CHECK(DataError, std::ssize(draws) < limit,
               "the mixture would take over {} rows until every source is exhausted: a source's "
               "weight is too small for its {} rows. Raise it, cap the source with max_rows, or "
               "stop with first_exhausted",
               limit, *std::max_element(of.rows.begin(), of.rows.end()));
    const auto total = static_cast<double>(draws.size() + 1);
    std::size_t next = 0;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t s = 0; s < counts.size(); ++s) {
      const double owed = of.shares[s] * total - static_cast<double>(counts[s]);
      if (owed > largest) {
        largest = owed;
        next = s;
      }
    }
    draws.push_back({static_cast<std::int32_t>(next), static_cast<std::int32_t>(counts[next])});
    exhausted += ++counts[next] == of.rows[next];
  }
  return draws;
}

Shares shares_of(const Stage& stage) {
  Shares result;
  double sum = 0;
  for (const SourceRows& source : stage.sources) sum += source.weight;
  for (const SourceRows& source : stage.sources) {
    HONE_CHECK(DataError, source.size > 0, "source {} has no rows", source.name);
    HONE_ASSERT(source.weight > 0, "weight {} of source {}", source.weight, source.name);
    result.shares.push_back(source.weight / sum);
    result.rows.push_back(source.max_rows > 0 ? std::min(source.size, source.max_rows)
                                              : source.size);
  }
  return result;
}

}  // namespace

RowOrder::RowOrder(const std::vector<Stage>& stages, std::uint64_t seed, bool shuffle)
    : seed_(seed), shuffle_(shuffle) {
  HONE_CHECK(DataError, stages.size() <= kMaxStages, "{} stages, expected at most {}",
             stages.size(), kMaxStages);
  for (const Stage& stage : stages) {
    HONE_CHECK(DataError, !stage.sources.empty() && stage.sources.size() <= kMaxSources,
               "a stage has {} sources, expected 1 to {}", stage.sources.size(), kMaxSources);
    const Shares shares = shares_of(stage);
    const std::int64_t rows =
        std::accumulate(shares.rows.begin(), shares.rows.end(), std::int64_t{0});
    Part& part = parts_.emplace_back();
    for (std::size_t s = 0; s < stage.sources.size(); ++s)
      part.sources.push_back({stage.sources[s].begin, stage.sources[s].size, shares.rows[s]});
    if (stage.mixing != Mixing::kConcat)
      part.draws = interleave<Draw>(shares, stage.mixing, kMaxRepeats * rows);
    part.pass_size = part.draws.empty() ? rows : std::ssize(part.draws);
    part.begin = size_;
    part.size =
        std::max<std::int64_t>(1, std::llround(stage.passes * static_cast<double>(part.pass_size)));
    part.passes_begun = (part.size + part.pass_size - 1) / part.pass_size;
    size_ += part.size;
  }
  HONE_CHECK(DataError, size_ > 0, "there is no row to make batches of");
}

RowOrder RowOrder::plain(std::int64_t rows, std::uint64_t seed, bool shuffle) {
  HONE_CHECK(DataError, rows > 0, "there is no row to make batches of");
  return RowOrder({{.sources = {{.name = "data.train", .begin = 0, .size = rows}}}}, seed, shuffle);
}

/// @param lane what the shuffle is for. @param pass one order for each
std::int64_t RowOrder::shuffled(std::int64_t index, std::int64_t size, std::uint64_t lane,
                                std::int64_t pass) const {
  if (!shuffle_) return index;
  const std::uint64_t stream = (lane << 40) | (static_cast<std::uint64_t>(pass) << 8) |
                               static_cast<std::uint64_t>(RandomStream::kShuffle);
  return static_cast<std::int64_t>(
      permute(static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(size), seed_, stream));
}

std::int64_t RowOrder::row_of_source(std::size_t part, std::size_t source, std::int64_t turn,
                                     std::int64_t pass) const {
  const Source& rows = parts_[part].sources[source];
  // A source that is drawn beyond its rows begins anew, in another order.
  const std::int64_t rounds = parts_[part].pass_size / rows.taken + 1;
  std::int64_t index = shuffled(turn % rows.taken, rows.taken, source_lane(part, source),
                                pass * rounds + turn / rows.taken);
  if (rows.taken < rows.size) index = shuffled(index, rows.size, cap_lane(part, source), 0);
  return rows.begin + index;
}

std::int64_t RowOrder::concat_row(std::size_t part, std::int64_t place, std::int64_t pass) const {
  std::int64_t index = shuffled(place, parts_[part].pass_size, stage_lane(part), pass);
  const std::vector<Source>& sources = parts_[part].sources;
  std::size_t source = 0;
  while (index >= sources[source].taken) index -= sources[source++].taken;
  const Source& rows = sources[source];
  if (rows.taken < rows.size) index = shuffled(index, rows.size, cap_lane(part, source), 0);
  return rows.begin + index;
}

std::int64_t RowOrder::row(std::int64_t epoch, std::int64_t place) const {
  HONE_ASSERT(place >= 0 && place < size_, "place {} of {}", place, size_);
  const auto next =
      std::upper_bound(parts_.begin(), parts_.end(), place,
                       [](std::int64_t wanted, const Part& part) { return wanted < part.begin; });
  const auto index = static_cast<std::size_t>(next - parts_.begin()) - 1;
  const Part& part = parts_[index];
  const std::int64_t within = place - part.begin;
  const std::int64_t pass = epoch * part.passes_begun + within / part.pass_size;
  const std::int64_t of_pass = within % part.pass_size;
  if (part.draws.empty()) return concat_row(index, of_pass, pass);
  const Draw& draw = part.draws[static_cast<std::size_t>(of_pass)];
  return row_of_source(index, static_cast<std::size_t>(draw.source), draw.turn, pass);
}

}  // namespace hone::datasets
