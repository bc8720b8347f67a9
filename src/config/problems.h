#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::config {

/// Where a value was written: a file and a line in it, or one word of the command line.
struct Location {
  std::string source;
  int line = 0;  ///< from 1; 0: the source as a whole
};

std::string to_text(const Location& where);

struct Problem {
  Location where;
  std::string key;  ///< dotted path; empty: the document as a whole
  std::string what;
};

/// Which keys were set, and where.
using Given = std::map<std::string, Location, std::less<>>;

/// How many problems one error tells; of the others it gives the number.
inline constexpr std::size_t kMaxProblemsTold = 50;

/// Throws one error that tells the problems, one line each: `file:line: key: what`. In the order of
/// the file, then of the command line. Does nothing when there are none.
/// @throws ConfigError
void refuse_if_any(std::vector<Problem> problems);

/// What a check of a table reports through. Keys are relative to the check's section.
class Problems {
 public:
  /// @param changed those of `given` that are not set to their default
  Problems(std::vector<Problem>& list, const Given& given, const Given& changed, std::string source)
      : list_(&list), given_(&given), changed_(&changed), source_(std::move(source)) {}

  /// @param key what the message points at: the line where it was set, or the file where it was not
  void add(std::string_view key, std::string what);

  /// True where the file or the command line sets `key` to something other than its default: a
  /// resolved config sets every key.
  bool given(std::string_view key) const;

  /// The same list, with keys relative to a section of this one.
  Problems within(std::string_view section) const;

 private:
  std::vector<Problem>* list_;
  const Given *given_, *changed_;
  std::string source_, section_;
};

/// "a.b" from "a" and "b"; either may be empty.
std::string join_path(std::string_view parent, std::string_view key);

/// "a.b[2]" for the third item of the list at "a.b".
std::string item_path(std::string_view list, std::size_t index);

/// `text`, cut at a character border where it is too long for a message.
std::string shortened(std::string_view text);

/// The part of a dotted path behind its last dot.
std::string_view leaf_of(std::string_view path);

/// The part before it; empty where there is none.
std::string_view parent_of(std::string_view path);

/// The known path whose last part is the nearest to that of `path`, with case and '-' or '_' passed
/// over; one with the same parent where two are as near. Empty where nothing is near.
/// @source optimal string alignment: Damerau-Levenshtein distance without repeated edits
std::string nearest(std::string_view path, const std::vector<std::string>& known);

/// "; did you mean X?", or nothing where nothing is near.
std::string did_you_mean(std::string_view path, const std::vector<std::string>& known);

}  // namespace hone::config
