#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::datasets {

/// Rows of one source: places [begin, begin + size) of the dataset.
struct SourceRows {
  std::string name;  ///< for messages
  std::int64_t begin = 0;
  std::int64_t size = 0;
  double weight = 1;  ///< how often it is drawn, beside the others' weights; not for kConcat
  std::int64_t max_rows = 0;  ///< above 0: no more rows than these, the same ones in every pass
};

enum class Mixing {
  kConcat,          ///< every row of every source once
  kFirstExhausted,  ///< drawn by weight until one source has given all its rows
  kAllExhausted,    ///< drawn by weight until every source has; the others begin anew
};

/// A stretch of an epoch with a mixture of its own.
struct Stage {
  std::vector<SourceRows> sources;
  Mixing mixing = Mixing::kConcat;
  double passes = 1;  ///< how often the mixture is gone through; a part of a pass is its beginning
};

/// Which row stands at each place of each epoch: a pure function of the stages, the seed, the epoch
/// and the place. An epoch is all stages, one after another.
///
/// Drawing by weight is by largest remainder: after any t draws a source of share p has been drawn
/// p·t times, give or take less than the number of sources, so a mixture is even from the first
/// batch on. Within a source each pass has an order of its own.
/// @source the stopping rules are those of Hugging Face datasets' interleave_datasets
class RowOrder {
 public:
  /// @throws DataError where a stage has no row, or where the weights would have a pass repeat rows
  ///         beyond kMaxRepeats times all there are
  RowOrder(const std::vector<Stage>& stages, std::uint64_t seed, bool shuffle);

  /// Every row of `rows` once, in the order of the files or shuffled.
  static RowOrder plain(std::int64_t rows, std::uint64_t seed, bool shuffle);

  static constexpr std::int64_t kMaxRepeats = 1000;

  /// Places of one epoch.
  std::int64_t size() const { return size_; }
  /// @param place from 0 to size() - 1
  std::int64_t row(std::int64_t epoch, std::int64_t place) const;

 private:
  struct Source {
    std::int64_t begin, size, taken;  ///< `taken`: rows after the cap
  };
  /// The t-th row that a source gives in a pass.
  struct Draw {
    std::int32_t source;
    std::int32_t turn;
  };
  struct Part {
    std::vector<Source> sources;
    std::vector<Draw> draws;   ///< of one pass; empty: one source after another
    std::int64_t begin, size;  ///< places of the epoch
    std::int64_t pass_size;
    std::int64_t passes_begun;  ///< in one epoch
  };

  std::int64_t row_of_source(std::size_t part, std::size_t source, std::int64_t turn,
                             std::int64_t pass) const;
  std::int64_t concat_row(std::size_t part, std::int64_t place, std::int64_t pass) const;
  std::int64_t shuffled(std::int64_t index, std::int64_t size, std::uint64_t lane,
                        std::int64_t pass) const;

  std::vector<Part> parts_;
  std::uint64_t seed_;
  bool shuffle_;
  std::int64_t size_ = 0;
};

}  // namespace hone::datasets
