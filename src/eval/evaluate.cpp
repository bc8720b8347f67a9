#include "eval/evaluate.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "datasets/files.h"
#include "datasets/record_reader.h"
#include "datasets/tokenise.h"
#include "eval/report.h"
#include "eval/rows.h"
#include "eval/score.h"
#include "eval/stop_texts.h"
#include "model/generate_stream.h"

namespace hone::eval {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// One evaluation under way.
struct Run {
  const model::Decoder& decoder;
  const SuiteOptions& options;
  const Setting& setting;
  datasets::DataOptions data;  // the section, with what the evaluation says itself
  std::vector<std::string> files;
  Judge judge;
  Evaluation found;
  std::int64_t left_out = 0;  // in the pass under way

  bool asks_for(Needs needs) const {
    return std::ranges::any_of(found.tallies,
                               [&](const Tally& tally) { return tally.metric().needs == needs; });
  }

  /// Takes in what was measured of the row of that place (from 0) among the rows of its kind.
  void add(const Outcome& outcome, std::int64_t row, const std::string& where) {
    const RowWeights weights = row_weights(setting.seed, row);
    for (Tally& tally : found.tallies)
      if (outcome_index(tally.metric().needs) == outcome.index())
        tally.add(outcome, judge, weights);
    found.rows = std::max(found.rows, row + 1);
    if (setting.on_row) setting.on_row(to_json(options.name, where, outcome));
    log::set_status_line(fmt::format("{}: {} rows", options.name, row + 1));
  }

  bool is_enough(std::int64_t rows) const { return options.limit > 0 && rows >= options.limit; }

  /// Counts a row that is too long. @throws DataError where the options want to hear of it
  bool leaves_out(std::int64_t tokens) {
    const std::int64_t most = data.max_length.value_or(setting.context_length);
    if (most <= 0 || tokens <= most) return false;
    HONE_CHECK(DataError, data.overlong != "error",
               "the row has {} tokens, more than {}; shorten it, raise data.max_length, or set "
               "data.overlong to drop",
               tokens, most);
    ++left_out;
    return true;
  }
};

Judge make_judge(const SuiteOptions& options) {
  Judge judge;
  if (!options.pattern.empty()) judge.pattern.emplace(options.pattern);
  if (!options.schema.empty()) judge.schema = JsonSchema::load(options.schema);
  return judge;
}

Run start(const model::Decoder& decoder, const SuiteOptions& options, const Setting& setting) {
  Run run{decoder,
          options,
          setting,
          setting.data,
          datasets::expand_files(options.data),
          make_judge(options),
          {.name = options.name}};
  if (!options.format.empty()) run.data.format = options.format;
  if (!options.columns.empty()) run.data.columns = options.columns;
  for (const std::string& metric : options.metrics)
    run.found.tallies.emplace_back(metric_named(metric));
  return run;
}

/// Runs `action` and puts the row's place before the message of a DataError from it.
template <class Action>
auto at_row(const std::string& where, Action&& action) {
  try {
    return action();
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", where, error.what()));
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", where, error.what()));
  }
}

TokenOutcome token_outcome(const DocumentScore& score, std::int64_t bytes) {
  return {.loss = score.loss,
          .weight = score.weight,
          .nats = score.nats,
          .tokens = score.tokens,
          .correct = score.correct,
          .bytes = bytes};
}

/// A row's place among those that were measured, and in its file.
struct Place {
  std::int64_t row;
  std::string where;
};

void measure_tokens(Run& run) {
  const tokenizer::Tokenizer* tokenizer =
      run.found.find("bits_per_byte") != nullptr ? run.setting.tools.tokenizer : nullptr;
  struct Waiting {
    Place place;
    std::int64_t bytes;
  };
  ScoringQueue<Waiting> queue(
      run.decoder, run.setting.tokens_per_batch,
      {.count_correct = run.found.find("token_accuracy") != nullptr},
      [&](const Waiting& row, std::span<const DocumentScore> scores) {
        run.found.trained_tokens += scores[0].tokens;
        run.add(token_outcome(scores[0], row.bytes), row.place.row, row.place.where);
      },
      run.setting.crew);
  std::int64_t rows = 0;
  const datasets::LoadSettings settings{.threads = at::get_num_threads()};
  const datasets::RowCounts counts = datasets::tokenise(
      {run.files, run.data, run.setting.tools, run.setting.context_length, settings},
      [&](datasets::Example example) {
        run.found.tokens += example.length();
        const std::string where =
            fmt::format("{}:{}", run.files[static_cast<std::size_t>(example.file)], example.row);
        const std::int64_t bytes = tokenizer != nullptr ? scored_bytes(example, *tokenizer) : 0;
        queue.add({{rows++, where}, bytes}, {std::move(example)});
        return !run.is_enough(rows);
      });
  queue.finish();
  run.left_out = counts.dropped_overlong;
  HONE_CHECK(DataError, run.found.trained_tokens > 0, "{}: no token of the rows carries weight",
             run.options.name);
}

/// A row's question; none where it is left out.
std::optional<Question> read_question(Run& run, const datasets::Record& record) {
  Question question = question_of(record, run.setting.tools);
  HONE_CHECK(DataError, !run.asks_for(Needs::kReference) || question.outcome.expected,
             "{} needs the row's own answer: a conversation that ends with an assistant's text, or "
             "a \"completion\"",
             run.options.name);
  if (run.leaves_out(std::ssize(question.prompt))) return std::nullopt;
  return question;
}

/// The next question; none at the end.
/// @param place of the last one, and then of this one
std::optional<Question> next_question(Run& run, datasets::RecordReader& reader, Place& place) {
  while (const auto row = run.is_enough(place.row + 1) ? std::nullopt : reader.next()) {
    auto question = at_row(row->where, [&] { return read_question(run, row->record); });
    if (!question) continue;
    place = {place.row + 1, row->where};
    return question;
  }
  return std::nullopt;
}

/// A question that has been asked, and its answer.
struct Asked {
  Place place;
  AnswerOutcome outcome;
};

/// Answers questions that `next` gives, in their order.
void answer(const Run& run, const std::function<std::optional<Question>(Place& place)>& next,
            const std::function<void(Asked row, const model::Generated& made)>& take) {
  const tokenizer::Tokenizer& tokenizer = *run.setting.tools.tokenizer;
  const StopTexts stops{run.options.stop};
  model::SamplingOptions sampling{.max_new_tokens = run.options.max_new_tokens,
                                  .seed = run.setting.seed,
                                  .is_done = stops.watch(tokenizer)};
  for (const std::int32_t id : run.setting.tools.stop_ids) sampling.stop_ids.push_back(id);
  std::deque<Asked> waiting;  // asked and not yet answered
  Place last{-1, ""};
  model::generate_stream(
      run.decoder,
      [&]() -> std::optional<std::vector<std::int64_t>> {
        std::optional<Question> question = next(last);
        if (!question) return std::nullopt;
        waiting.push_back({last, std::move(question->outcome)});
        return std::move(question->prompt);
      },
      sampling, {.batch_size = static_cast<std::size_t>(run.setting.answers_per_batch)},
      [&](const std::vector<model::Generated>& made) {
        Asked row = std::move(waiting.front());
        waiting.pop_front();
        take(std::move(row), made[0]);
      });
}

void add_answer(Run& run, Asked row, const std::vector<std::int32_t>& ids, bool stopped) {
  row.outcome.given = StopTexts{run.options.stop}.cut(
      run.setting.tools.tokenizer->decode(ids, /*skip_special=*/true));
  row.outcome.stopped = stopped;
  row.outcome.tokens = std::ssize(ids);
  run.found.generated_tokens += row.outcome.tokens;
  run.add(std::move(row.outcome), row.place.row, row.place.where);
}

/// One process answers all questions. So does each of a crew whose passes are made together: how
/// many an answer takes is not known before.
void answer_all(Run& run, datasets::RecordReader& reader) {
  answer(
      run, [&](Place& place) { return next_question(run, reader, place); },
      [&](Asked row, const model::Generated& made) {
        add_answer(run, std::move(row), {made.ids.begin(), made.ids.end()}, made.stopped);
      });
}

/// Each of a crew answers every `world`-th question. @return its answers: for each whether it
/// stopped, how many ids it has, and these
Numbers answer_own(const Run& run, const std::vector<Asked>& round,
                   const std::vector<std::vector<std::int64_t>>& prompts) {
  const Crew& crew = run.setting.crew;
  auto next = static_cast<std::size_t>(crew.rank);
  Numbers answers;
  answer(
      run,
      [&](Place& place) -> std::optional<Question> {
        if (next >= round.size()) return std::nullopt;
        const std::size_t i = std::exchange(next, next + static_cast<std::size_t>(crew.world));
        place = round[i].place;
        return Question{prompts[i], round[i].outcome};
      },
      [&](const Asked&, const model::Generated& made) {
        answers.insert(answers.end(), {made.stopped ? 1.0 : 0.0, double(made.ids.size())});
        answers.insert(answers.end(), made.ids.begin(), made.ids.end());
      });
  return answers;
}

/// Questions, a batch for each of a crew at a time, so that all hear of a signal in between.
void answer_shared(Run& run, datasets::RecordReader& reader) {
  const Crew& crew = run.setting.crew;
  const std::int64_t most = crew.world * run.setting.answers_per_batch;
  Place last{-1, ""};
  while (true) {
    std::vector<Asked> round;
    std::vector<std::vector<std::int64_t>> prompts;
    while (std::ssize(round) < most) {
      std::optional<Question> question = next_question(run, reader, last);
      if (!question) break;
      prompts.push_back(std::move(question->prompt));
      round.push_back({last, std::move(question->outcome)});
    }
    if (round.empty()) return;
    const std::vector<Numbers> all = exchange_or_leave(crew, answer_own(run, round, prompts));
    std::vector<Numbers::const_iterator> next;
    for (const Numbers& answers : all) next.push_back(answers.begin());
    for (std::size_t i = 0; i < round.size(); ++i) {
      auto& at = next[i % all.size()];
      const bool stopped = *at++ != 0;
      const auto count = static_cast<std::ptrdiff_t>(*at++);
      add_answer(run, std::move(round[i]), {at, at + count}, stopped);
      at += count;
    }
  }
}

void measure_answers(Run& run) {
  datasets::RecordReader reader(run.files, run.data.format, run.data.columns);
  const auto begin = Clock::now();
  const Crew& crew = run.setting.crew;
  const auto hold = crew.is_alone() ? nullptr : std::make_unique<InterruptHold>();
  if (crew.is_alone() || crew.passes_together)
    answer_all(run, reader);
  else
    answer_shared(run, reader);
  run.found.generation_s += seconds_since(begin);
}

/// Scores rows of several answers, which `next` gives.
/// @param next gives a row that is measured, and its place in its file; none at the end
void measure_answer_rows(
    Run& run, const std::function<std::optional<AnswerRow>(std::string& where)>& next,
    const std::function<Outcome(AnswerRow& row, std::span<const DocumentScore> scores)>& take) {
  struct Waiting {
    Place place;
    AnswerRow row;
  };
  ScoringQueue<Waiting> queue(
      run.decoder, run.setting.tokens_per_batch, {},
      [&](Waiting waiting, std::span<const DocumentScore> scores) {
        run.add(take(waiting.row, scores), waiting.place.row, waiting.place.where);
      },
      run.setting.crew);
  std::int64_t rows = 0;
  std::string where;
  while (auto row = run.is_enough(rows) ? std::nullopt : next(where)) {
    std::int64_t longest = 0, tokens = 0;
    for (const datasets::Example& document : row->documents) {
      longest = std::max(longest, document.length());
      tokens += document.length();
    }
    if (at_row(where, [&] { return run.leaves_out(longest); })) continue;
    run.found.tokens += tokens;
    std::vector<datasets::Example> documents = std::move(row->documents);
    queue.add({{rows++, where}, std::move(*row)}, std::move(documents));
  }
  queue.finish();
}

void measure_choices(Run& run) {
  RawRows reader(run.files, run.data.columns);
  measure_answer_rows(
      run,
      [&](std::string& where) -> std::optional<AnswerRow> {
        const auto row = reader.next(where);
        if (!row) return std::nullopt;
        return at_row(where, [&] {
          return choices_of(*row, run.options.choice_delimiter, run.setting.tools);
        });
      },
      [](AnswerRow& row, std::span<const DocumentScore> scores) {
        for (const DocumentScore& score : scores) row.choices.logps.push_back(-score.nats);
        return Outcome(std::move(row.choices));
      });
}

void measure_pairs(Run& run) {
  datasets::RecordReader reader(run.files, run.data.format, run.data.columns);
  const bool is_reward = run.decoder.spec.num_labels > 0;
  measure_answer_rows(
      run,
      [&](std::string& where) -> std::optional<AnswerRow> {
        const auto row = reader.next();
        if (!row) return std::nullopt;
        where = row->where;
        return at_row(where, [&] { return pair_of(row->record, run.data, run.setting.tools); });
      },
      [is_reward](AnswerRow&, std::span<const DocumentScore> scores) {
        if (is_reward)
          return Outcome(PairOutcome{.chosen = scores[0].reward, .rejected = scores[1].reward});
        return Outcome(PairOutcome{.chosen = -scores[0].nats,
                                   .rejected = -scores[1].nats,
                                   .chosen_tokens = scores[0].tokens,
                                   .rejected_tokens = scores[1].tokens});
      });
}

/// How what a metric needs is measured; one pass over the rows serves all that need the same.
struct Pass {
  std::vector<Needs> needs;
  void (*measure)(Run& run);
};

const std::vector<Pass>& passes() {
  static const std::vector<Pass> passes = {{{Needs::kTokens}, measure_tokens},
                                           {{Needs::kAnswer, Needs::kReference}, measure_answers},
                                           {{Needs::kChoices}, measure_choices},
                                           {{Needs::kPair, Needs::kReward}, measure_pairs}};
  return passes;
}

}  // namespace

const Tally* Evaluation::find(std::string_view metric) const {
  const auto found = std::ranges::find_if(
      tallies, [&](const Tally& tally) { return tally.metric().name == metric; });
  return found == tallies.end() ? nullptr : &*found;
}

void check_possible(const SuiteOptions& options, const model::Spec& spec,
                    const datasets::TextTools& tools) {
  make_judge(options);
  for (const std::string& name : options.metrics) {
    const Needs needs = metric_named(name).needs;
    const bool needs_text =
        needs == Needs::kAnswer || needs == Needs::kReference || needs == Needs::kChoices;
    HONE_CHECK(ConfigError, tools.tokenizer != nullptr || !(needs_text || name == "bits_per_byte"),
               "{}: {} needs a tokenizer, and the model has none", options.name, name);
    HONE_CHECK(ConfigError, needs == Needs::kReward || spec.num_labels == 0,
               "{}: {} needs a language model, and this one has a head of {} label(s) in the place "
               "of one; reward_accuracy is for such models",
               options.name, name, spec.num_labels);
    HONE_CHECK(
        ConfigError, needs != Needs::kReward || spec.num_labels == 1,
        "{}: {} needs a reward model, with a head of one label; this one has {}. "
        "preference_accuracy compares log-probabilities",
        options.name, name,
        spec.num_labels == 0 ? "a language model's" : fmt::format("{} labels", spec.num_labels));
  }
}

Evaluation evaluate(const model::Decoder& decoder, const SuiteOptions& options,
                    const Setting& setting) {
  const torch::NoGradGuard no_grad;
  const auto begin = Clock::now();
  Run run = start(decoder, options, setting);
  for (const Pass& pass : passes()) {
    if (std::ranges::none_of(pass.needs, [&](Needs needs) { return run.asks_for(needs); }))
      continue;
    run.left_out = 0;
    pass.measure(run);
    run.found.rows_left_out = std::max(run.found.rows_left_out, run.left_out);
  }
  log::set_status_line("");
  for (const Tally& tally : run.found.tallies)
    HONE_CHECK(DataError, tally.rows() > 0, "{}: no row is left to measure {} on{}", options.name,
               tally.metric().name,
               run.found.rows_left_out > 0
                   ? fmt::format("; {} were too long", run.found.rows_left_out)
                   : "");
  run.found.seconds = seconds_since(begin);
  return std::move(run.found);
}

Evaluation evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                         std::int64_t tokens_per_batch, const Crew& crew) {
  HONE_CHECK(DataError, data.totals().weight > 0, "data.eval: no token of it carries weight");
  Evaluation found{.name = "eval"};
  for (const char* metric : {"loss", "perplexity"})
    found.tallies.emplace_back(metric_named(metric));
  const Judge judge;
  ScoringQueue<std::int64_t> queue(
      decoder, tokens_per_batch, {},
      [&](std::int64_t row, std::span<const DocumentScore> scores) {
        const RowWeights weights = row_weights(/*seed=*/0, row);
        for (Tally& tally : found.tallies) tally.add(token_outcome(scores[0], 0), judge, weights);
        found.trained_tokens += scores[0].tokens;
      },
      crew);
  for (std::int64_t row = 0; row < data.size(); ++row) queue.add(row, {data.example(row)});
  queue.finish();
  found.rows = data.size();
  found.tokens = data.totals().tokens;
  return found;
}

}  // namespace hone::eval
