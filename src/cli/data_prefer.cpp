// hone data prefer: what people did with answers, or what a judge says of them, becomes rows of
// preference training.

#include <algorithm>
#include <array>

#include "base/log.h"
#include "cli/data_verbs.h"
#include "cli/judge.h"
#include "cli/rows.h"
#include "io/row_writer.h"

namespace hone::cli {
namespace {

using Row = nlohmann::ordered_json;

struct Arguments {
  std::string input, output, on_flip = "drop";
  JudgeArguments judge;
};

/// What became of the rows.
struct Counts {
  std::int64_t read = 0, written = 0;
  std::int64_t undecided = 0;  ///< teach nothing: an edit that changed nothing, a tie, no thumb
  // Of rows that a judge saw in both orders:
  std::int64_t judged = 0;
  std::int64_t agreed = 0;       ///< it took the same answer in both
  std::int64_t first_taken = 0;  ///< verdicts for the answer that was shown first
  std::int64_t decided = 0;      ///< verdicts that are no tie
};

/// What rows are made with.
struct Work {
  std::optional<Judge> judge;
  bool marks_flips =
      false;  ///< a pair on which the judge's two verdicts differ is kept, and says so
  Counts counts = {};
};

const Row& value_at(const Row& row, const char* key) {
  HONE_CHECK(DataError, row.contains(key) && !row[key].is_null(), "the row has no \"{}\"", key);
  return row[key];
}

Row prompt_of(const Row& row) {
  const bool is_conversation = row.contains("messages");
  const Row& prompt = value_at(row, is_conversation ? "messages" : "prompt");
  HONE_CHECK(DataError, prompt.is_string() || (prompt.is_array() && !prompt.empty()),
             "\"{}\" is {}, expected a text, or messages", is_conversation ? "messages" : "prompt",
             prompt.type_name());
  return prompt;
}

/// An answer in the form of its prompt: a text, or a list of messages.
Row answer_to(const Row& prompt, const Row& answer, const std::string& key) {
  HONE_CHECK(DataError, answer.is_string() || (prompt.is_array() && answer.is_array()),
             "\"{}\" is {}, expected {}", key, answer.type_name(),
             prompt.is_array() ? "a text, or messages" : "a text");
  HONE_CHECK(DataError, !answer.empty() && answer != "", "\"{}\" is empty", key);
  if (prompt.is_string() || answer.is_array()) return answer;
  return Row::array({{{"role", "assistant"}, {"content", answer}}});
}

Row pair_of(const Row& prompt, const Row& chosen, const Row& rejected) {
  return {{"prompt", prompt}, {"chosen", chosen}, {"rejected", rejected}};
}

/// {"original", "edited"}: the edited answer won.
std::vector<Row> rows_of_edit(const Row& row, Work& work) {
  const Row prompt = prompt_of(row);
  const Row original = answer_to(prompt, value_at(row, "original"), "original");
  const Row edited = answer_to(prompt, value_at(row, "edited"), "edited");
  if (original == edited) {
    ++work.counts.undecided;
    return {};
  }
  return {pair_of(prompt, edited, original)};
}

/// {"regenerations", "accepted"?}: the answer that was kept (the last one, where the row does not
/// say) won over each of the others.
std::vector<Row> rows_of_regenerations(const Row& row, Work& work) {
  const Row prompt = prompt_of(row);
  const Row& answers = value_at(row, "regenerations");
  HONE_CHECK(DataError, answers.is_array() && !answers.empty(),
             "\"regenerations\" should be a list of answers");
  const auto last = static_cast<std::int64_t>(answers.size()) - 1;
  std::int64_t accepted = last;
  if (row.contains("accepted")) {
    const Row& said = row["accepted"];
    HONE_CHECK(DataError, said.is_number_integer(), "\"accepted\" is {}, expected a number",
               said.dump());
    accepted = said.get<std::int64_t>();
    HONE_CHECK(DataError, accepted >= 0 && accepted <= last,
               "\"accepted\" is {}, expected the place of an answer, from 0 to {}", accepted, last);
  }
  const Row chosen =
      answer_to(prompt, answers[std::size_t(accepted)], fmt::format("regenerations[{}]", accepted));
  std::vector<Row> pairs;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Row other = answer_to(prompt, answers[i], fmt::format("regenerations[{}]", i));
    if (other != chosen) pairs.push_back(pair_of(prompt, chosen, other));
  }
  if (pairs.empty()) ++work.counts.undecided;
  return pairs;
}

/// {"completion", "thumb"}: up is a good answer, down a bad one, null says nothing.
std::vector<Row> rows_of_thumb(const Row& row, Work& work) {
  const Row prompt = prompt_of(row);
  const Row completion = answer_to(prompt, value_at(row, "completion"), "completion");
  const Row& thumb = row["thumb"];
  if (thumb.is_null() || thumb == 0) {
    ++work.counts.undecided;
    return {};
  }
  const bool is_up = thumb == "up" || thumb == true || thumb == 1;
  HONE_CHECK(DataError, is_up || thumb == "down" || thumb == false || thumb == -1,
             "\"thumb\" is {}, expected up or down (or 1, -1, true, false; null for none)",
             thumb.dump());
  return {{{"prompt", prompt}, {"completion", completion}, {"label", is_up}}};
}

/// The place of the answer that a judge takes, 0 or 1; none: a tie.
using Verdict = std::optional<std::size_t>;

Verdict place_taken(const Row& verdict, std::size_t index) {
  if (verdict == "tie") return std::nullopt;
  HONE_CHECK(DataError, verdict == "first" || verdict == "second",
             "verdicts[{}] is {}, expected first, second or tie", index, verdict.dump());
  return verdict == "first" ? 0 : 1;
}

const Row& two_answers(const Row& row) {
  const Row& answers = value_at(row, "answers");
  HONE_CHECK(DataError, answers.is_array() && answers.size() == 2,
             "\"answers\" should be a list of two answers");
  return answers;
}

/// Whether the judge took the same answer in both orders; it is counted.
bool agree(Verdict in_order, Verdict swapped, Counts& counts) {
  ++counts.judged;
  for (const Verdict& place : {in_order, swapped}) {
    counts.decided += place.has_value();
    counts.first_taken += place == Verdict(0);
  }
  const bool agrees =
      in_order.has_value() == swapped.has_value() && (!in_order || *in_order == 1 - *swapped);
  counts.agreed += agrees;
  return agrees;
}

/// {"answers": [a, b], "verdicts": [of a then b, of b then a]}: a judge's word counts where it
/// takes the same answer whichever is shown first.
std::vector<Row> rows_of_verdicts(const Row& row, Work& work) {
  const Row prompt = prompt_of(row);
  const Row &answers = two_answers(row), &verdicts = value_at(row, "verdicts");
  HONE_CHECK(DataError, verdicts.is_array() && verdicts.size() == 2,
             "\"verdicts\" should be a list of two: of the answers in their order, and of the "
             "answers swapped");
  const Verdict in_order = place_taken(verdicts[0], 0), swapped = place_taken(verdicts[1], 1);
  if (!agree(in_order, swapped, work.counts) || !in_order) {
    ++work.counts.undecided;
    return {};
  }
  const Row chosen = answer_to(prompt, answers[*in_order], fmt::format("answers[{}]", *in_order));
  const std::size_t other = 1 - *in_order;
  return {pair_of(prompt, chosen,
                  answer_to(prompt, answers[other], fmt::format("answers[{}]", other)))};
}

/// {"answers": [a, b]}: --model says which is better, in both orders.
std::vector<Row> rows_of_answers(const Row& row, Work& work) {
  HONE_CHECK(ConfigError, work.judge,
             "--model: rows of two `answers` without `verdicts` need a judge; name the model that "
             "compares them");
  const Row prompt = prompt_of(row);
  const Row& answers = two_answers(row);
  const Row first = answer_to(prompt, answers[0], "answers[0]");
  const Row second = answer_to(prompt, answers[1], "answers[1]");
  if (first == second) {
    ++work.counts.undecided;
    return {};
  }
  const std::array<double, 2> odds = work.judge->log_odds(prompt, first, second);
  const auto verdict = [](double of_shown_first) {
    return of_shown_first == 0 ? Verdict() : Verdict(of_shown_first > 0 ? 0 : 1);
  };
  const bool agreed = agree(verdict(odds[0]), verdict(odds[1]), work.counts);
  const std::array<double, 2> of_first = {odds[0], -odds[1]};  // for answers[0], in each order
  const double sum = of_first[0] + of_first[1];
  if (sum == 0 || (!agreed && !work.marks_flips)) {
    ++work.counts.undecided;
    return {};
  }
  const bool first_won = sum > 0;
  Row pair = first_won ? pair_of(prompt, first, second) : pair_of(prompt, second, first);
  const double sign = first_won ? 1 : -1;
  pair["judge"] = {{"agreed", agreed}, {"log_odds", {sign * of_first[0], sign * of_first[1]}}};
  return {pair};
}

/// What people, or a judge, left behind: told by a key that only it has.
struct Source {
  const char* key;
  std::vector<Row> (*rows)(const Row& row, Work& work);
};
constexpr std::array kSources = {
    Source{"edited", rows_of_edit}, Source{"regenerations", rows_of_regenerations},
    Source{"thumb", rows_of_thumb}, Source{"verdicts", rows_of_verdicts},
    Source{"answers", rows_of_answers}};

const Source& source_of(const Row& row) {
  const auto has = [&](const Source& source) {
    return row.is_object() && row.contains(source.key);
  };
  const auto found = std::ranges::find_if(kSources, has);
  HONE_CHECK(DataError, found != kSources.end(),
             "expected `edited` (beside `original`), `regenerations`, `thumb` (beside "
             "`completion`), or `answers` (with `verdicts`, or for --model to judge), each with "
             "`prompt` or `messages`");
  return *found;
}

void prefer(const Arguments& arguments, Work& work, io::RowWriter& writer) {
  RowSource rows(arguments.input);
  const Source* source = nullptr;
  Counts& counts = work.counts;
  while (const auto row = rows.next()) {
    rows.at(*row, [&] {
      const Source& own = source_of(row->value);
      HONE_CHECK(
          DataError, source == nullptr || source == &own,
          "the row is one of `{}`, and those before are of `{}`; give each a file of its own",
          own.key, source->key);
      HONE_CHECK(ConfigError, !work.judge || own.rows == rows_of_answers,
                 "--model: the rows are of `{}`, which say themselves what won; leave it out",
                 own.key);
      source = &own;
      for (const Row& made : own.rows(row->value, work)) {
        writer.write(made);
        ++counts.written;
      }
    });
    ++counts.read;
    if (work.judge)
      log::set_status_line(fmt::format("{} rows, {} written", counts.read, counts.written));
  }
  log::set_status_line("");
  HONE_CHECK(DataError, counts.read > 0, "{}: no rows", arguments.input);
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? double(part) / double(whole) : 0;
}

void report(const Counts& counts, const Arguments& arguments, const Common& common) {
  Row summary = {
      {"rows", counts.read}, {"written", counts.written}, {"undecided", counts.undecided}};
  if (counts.judged > 0)
    summary.update({{"judged", counts.judged},
                    {"agreement", share(counts.agreed, counts.judged)},
                    {"first_taken", share(counts.first_taken, counts.decided)}});
  if (common.json) return print_row(summary);
  log::info("{} rows, {} into {}; {} decide nothing and are left out", counts.read, counts.written,
            arguments.output, counts.undecided);
  if (counts.judged > 0)
    log::info(
        "the judge took the same answer in both orders in {:.1f} % of rows, and the one shown "
        "first in {:.1f} % of its decisions (50 % is without bias)",
        100 * share(counts.agreed, counts.judged), 100 * share(counts.first_taken, counts.decided));
}

ExitCode run_prefer(const Arguments& arguments, const Common& common) {
  HONE_CHECK(ConfigError, arguments.output != arguments.input,
             "--output {}: is the file that is read; name another", arguments.output);
  Work work = {.judge = std::nullopt, .marks_flips = arguments.on_flip == "mark"};
  if (!arguments.judge.model.model.empty()) work.judge.emplace(arguments.judge, common);
  HONE_CHECK(ConfigError, work.judge || !work.marks_flips,
             "--on-flip mark: needs --model, whose two verdicts say which answer is ahead");
  const auto writer = io::create_rows(arguments.output);
  prefer(arguments, work, *writer);
  writer->commit();
  report(work.counts, arguments, common);
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_prefer(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  command
      .add_option(
          "--input", arguments->input,
          "JSONL rows of one kind (- for stdin), each with `prompt` or `messages`: "
          "`original` and `edited`; `regenerations` and which was `accepted` (else the "
          "last); `completion` and `thumb` (up, down); or two `answers` with the `verdicts` "
          "of a judge on both orders (first, second, tie)")
      ->required();
  command
      .add_option("--output", arguments->output,
                  "File that is written: rows of the format preference, of thumbs unpaired")
      ->required();
  arguments->judge.declare(command);
  command
      .add_option("--on-flip", arguments->on_flip,
                  "What becomes of answers of which --model takes the other one in the other "
                  "order. drop: left out. mark: a row says `judge.agreed: false`, and the answer "
                  "that is ahead over both orders is the chosen one")
      ->check(CLI::IsMember({"drop", "mark"}))
      ->capture_default_str();
  return [arguments, &common] { return run_prefer(*arguments, common); };
}

}  // namespace hone::cli
