#include "config/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/error.h"
#include "config/yaml.h"

namespace hone::config {
namespace {

/// `text` on one line: no control character of a file or an argument reaches the terminal.
std::string one_line(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_control = byte < 0x20 || byte == 0x7F;
    result += is_control ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return result;
}

std::string folded(std::string_view word) {
  std::string result(word);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c == '-') c = '_';
  }
  return result;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

/// Orders a file's problems by line, then those of the file as a whole, then the command line's.
std::pair<int, int> rank(const Problem& problem) {
  const bool from_override = problem.where.source.starts_with("command line");
  const int whole = std::numeric_limits<int>::max();
  return {from_override ? 1 : 0, problem.where.line > 0 ? problem.where.line : whole};
}

}  // namespace

std::string to_text(const Location& where) {
  return where.line > 0 ? fmt::format("{}:{}", where.source, where.line) : where.source;
}

void refuse_if_any(std::vector<Problem> problems) {
  if (problems.empty()) return;
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return rank(a) < rank(b); });
  std::string message;
  for (std::size_t i = 0; i < std::min(problems.size(), kMaxProblemsTold); ++i) {
    const Problem& problem = problems[i];
    const std::string key = problem.key.empty() ? "" : yaml_string(shortened(problem.key)) + ": ";
    message += i > 0 ? "\n" : "";
    message += one_line(fmt::format("{}: {}{}", to_text(problem.where), key, problem.what));
  }
  if (problems.size() > kMaxProblemsTold)
    message += fmt::format("\n... and {} more problems", problems.size() - kMaxProblemsTold);
  throw ConfigError(message);
}

void Problems::add(std::string_view key, std::string what) {
  const std::string path = join_path(section_, key);
  const auto place = given_->find(path);
  list_->push_back(
      {place != given_->end() ? place->second : Location{source_, 0}, path, std::move(what)});
}

bool Problems::given(std::string_view key) const {
  return changed_->contains(join_path(section_, key));
}

Problems Problems::within(std::string_view section) const {
  Problems inner = *this;
  inner.section_ = join_path(section_, section);
  return inner;
}

std::string join_path(std::string_view parent, std::string_view key) {
  return fmt::format("{}{}{}", parent, parent.empty() || key.empty() ? "" : ".", key);
}

std::string item_path(std::string_view list, std::size_t index) {
  return fmt::format("{}[{}]", list, index);
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kMaxBytes = 80;
  if (text.size() <= kMaxBytes) return std::string(text);
  std::size_t end = kMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}...", text.substr(0, end));
}

std::string_view leaf_of(std::string_view path) { return path.substr(path.rfind('.') + 1); }

std::string_view parent_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

std::string nearest(std::string_view path, const std::vector<std::string>& known) {
  const std::string word = folded(leaf_of(path));
  const std::size_t limit = word.size() / 3;  // one edit in three letters is still the same word
  std::string best;
  std::pair<std::size_t, bool> best_rank{limit + 1, false};
  for (const std::string& candidate : known) {
    const std::string other = folded(leaf_of(candidate));
    // Longer differences cannot be near; this also bounds the work for a key of any length.
    if (std::max(word.size(), other.size()) - std::min(word.size(), other.size()) > limit) continue;
    const std::pair rank{edit_distance(word, other), parent_of(candidate) != parent_of(path)};
    if (rank < best_rank) std::tie(best, best_rank) = std::tie(candidate, rank);
  }
  return best;
}

std::string did_you_mean(std::string_view path, const std::vector<std::string>& known) {
  const std::string near = nearest(path, known);
  return near.empty() ? "" : fmt::format("; did you mean {}?", near);
}

}  // namespace hone::config
