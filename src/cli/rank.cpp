// hone rank: best of n. Candidate answers are rated by a reward model; what it prefers becomes rows
// to train on.

#include <algorithm>
#include <array>

#include "base/log.h"
#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "config/load.h"
#include "datasets/record_example.h"
#include "engine/run_data.h"
#include "model/document_lengths.h"
#include "model/head.h"

namespace hone::cli {
namespace {

using datasets::Row;
using torch::Tensor;
using Ids = std::vector<std::int64_t>;

struct Arguments {
  ModelArguments model;
  std::string input, candidates, form = "preference", chat_template;
  double min_margin = 0;
};

/// A prompt and the answers to it: texts, lists of messages, or lists of token ids.
struct Group {
  Row prompt;
  Row answers = Row::array();
  std::string where;

  bool is_ids() const { return prompt.is_array() && !prompt.empty() && prompt[0].is_number(); }
  bool is_messages() const { return prompt.is_array() && !is_ids(); }
};

struct Ranked {
  const Group& group;
  std::vector<double> scores;  ///< of each answer
  double min_margin;

  std::size_t best() const {
    return std::size_t(std::ranges::max_element(scores) - scores.begin());
  }
  std::size_t worst() const {
    return std::size_t(std::ranges::min_element(scores) - scores.begin());
  }
};

std::string key(const char* name, const Group& group) {
  return group.is_ids() ? std::string(name) + "_ids" : name;
}

Row joined(const Row& prompt, const Row& answer) {
  Row both = prompt;
  for (const Row& item : answer) both.push_back(item);
  return both;
}

/// The best answer against the worst; no row where they are about as good, or the same.
std::vector<Row> preference_rows(const Ranked& ranked) {
  const Group& group = ranked.group;
  const std::size_t best = ranked.best(), worst = ranked.worst();
  const double margin = ranked.scores[best] - ranked.scores[worst];
  if (margin <= 0 || margin < ranked.min_margin) return {};
  return {{{key("prompt", group), group.prompt},
           {key("chosen", group), group.answers[best]},
           {key("rejected", group), group.answers[worst]},
           {"chosen_score", ranked.scores[best]},
           {"rejected_score", ranked.scores[worst]}}};
}

/// The best answer alone, as a row of supervised fine-tuning.
std::vector<Row> best_rows(const Ranked& ranked) {
  const Group& group = ranked.group;
  const std::size_t best = ranked.best();
  if (ranked.scores[best] - ranked.scores[ranked.worst()] < ranked.min_margin) return {};
  const Row& answer = group.answers[best];
  Row row;
  if (group.is_messages()) {
    row = {{"messages", joined(group.prompt, answer)}};
  } else if (group.is_ids()) {
    std::vector<int> mask(group.prompt.size(), 0);
    mask.resize(group.prompt.size() + answer.size(), 1);
    row = {{"input_ids", joined(group.prompt, answer)}, {"completion_mask", mask}};
  } else {
    row = {{"prompt", group.prompt}, {"completion", answer}};
  }
  row["reward"] = ranked.scores[best];
  return {row};
}

/// Every answer with its score.
std::vector<Row> scored_rows(const Ranked& ranked) {
  const Group& group = ranked.group;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < ranked.scores.size(); ++i)
    rows.push_back({{key("prompt", group), group.prompt},
                    {key("completion", group), group.answers[i]},
                    {"score", ranked.scores[i]}});
  return rows;
}

struct Form {
  std::string_view name;
  std::vector<Row> (*rows)(const Ranked& ranked);
};
constexpr std::array kForms = {Form{"preference", preference_rows}, Form{"best", best_rows},
                               Form{"scored", scored_rows}};

/// The groups of the input: rows with "completions", or prompts beside the rows that
/// `hone generate --json --num-return-sequences N` made of them.
class Groups {
 public:
  explicit Groups(const Arguments& arguments) : rows_(arguments.input) {
    if (!arguments.candidates.empty()) candidates_.emplace(arguments.candidates);
  }

  std::optional<Group> next() {
    const auto row = rows_.next();
    if (!row) {
      refuse_left_over();
      return std::nullopt;
    }
    return rows_.at(*row, [&] {
      Group group = {.prompt = prompt_of(row->value), .where = rows_.where(*row)};
      if (candidates_) {
        take_candidates(group);
      } else {
        HONE_CHECK(
            DataError, row->value.contains("completions"),
            "expected \"completions\", the answers to rank (or --candidates, a file that has "
            "them)");
        HONE_CHECK(DataError, row->value["completions"].is_array(),
                   "\"completions\" is {}, expected a list", row->value["completions"].type_name());
        for (const Row& answer : row->value["completions"]) group.answers.push_back(answer);
      }
      check_answers(group);
      ++index_;
      return group;
    });
  }

 private:
  static Row prompt_of(const Row& row) {
    for (const char* name : {"prompt", "messages", "prompt_ids"})
      if (row.contains(name)) {
        const Row& prompt = row[name];
        HONE_CHECK(DataError, prompt.is_string() || (prompt.is_array() && !prompt.empty()),
                   "\"{}\" is {}, expected a text, or a list that is not empty", name,
                   prompt.type_name());
        return prompt;
      }
    throw DataError("expected \"prompt\" (a text or messages), \"messages\" or \"prompt_ids\"");
  }

  /// Those of the prompt's number.
  void take_candidates(Group& group) {
    while (true) {
      if (!waiting_) waiting_ = candidates_->next();
      if (!waiting_) return;
      const PlacedRow& row = *waiting_;
      const auto number = candidates_->at(row, [&] {
        HONE_CHECK(DataError,
                   row.value.contains("prompt") && row.value["prompt"].is_number_integer(),
                   "expected \"prompt\", the number of a prompt, as hone generate --json "
                   "--num-return-sequences N writes it");
        return row.value["prompt"].get<std::int64_t>();
      });
      HONE_CHECK(DataError, number >= index_,
                 "{}: belongs to prompt {}, which has passed; candidates should be in the order of "
                 "the prompts",
                 candidates_->where(row), number);
      if (number > index_) return;
      if (group.is_ids())
        group.answers.push_back(candidates_->ids(row, "ids"));
      else
        group.answers.push_back(candidates_->text(row, "text"));
      waiting_.reset();
    }
  }

  void refuse_left_over() {
    if (!candidates_) return;
    if (!waiting_) waiting_ = candidates_->next();
    HONE_CHECK(DataError, !waiting_,
               "{}: belongs to a prompt that --input does not have: it has {}",
               candidates_->where(*waiting_), index_);
  }

  /// Answers in the prompt's form; a text behind messages is the assistant's message.
  static void check_answers(Group& group) {
    HONE_CHECK(DataError, group.answers.size() >= 2, "{} answers; ranking needs two or more",
               group.answers.size());
    for (Row& answer : group.answers) {
      if (group.is_messages() && answer.is_string())
        answer = Row::array({{{"role", "assistant"}, {"content", answer}}});
      HONE_CHECK(DataError, answer.type() == group.prompt.type() && !answer.empty(),
                 "an answer is {}, expected {} as the prompt is",
                 answer.empty() ? "empty" : answer.type_name(), group.prompt.type_name());
    }
  }

  RowSource rows_;
  std::optional<RowSource> candidates_;
  std::optional<PlacedRow> waiting_;
  std::int64_t index_ = 0;
};

/// Tokens of each answer behind its prompt, as training makes them of the same rows.
std::vector<Ids> documents_of(const Group& group, const datasets::RowContext& context) {
  std::vector<Ids> documents;
  for (const Row& answer : group.answers) {
    datasets::Record record{datasets::RecordKind::kCompletion, {}};
    if (group.is_messages())
      record = {datasets::RecordKind::kConversation, {{"messages", joined(group.prompt, answer)}}};
    else if (group.is_ids())
      record = {datasets::RecordKind::kTokens, {{"input_ids", joined(group.prompt, answer)}}};
    else
      record.value = {{"prompt", group.prompt}, {"completion", answer}};
    const datasets::Example example = datasets::to_example(record, context);
    documents.emplace_back(example.ids.begin(), example.ids.end());
  }
  return documents;
}

/// Tokens that all documents begin with; each keeps one of its own.
std::int64_t common_beginning(const std::vector<Ids>& documents) {
  std::size_t common = documents.front().size() - 1;
  for (const Ids& document : documents) {
    common = std::min(common, document.size() - 1);
    const auto differs = std::ranges::mismatch(documents.front(), document).in2;
    common = std::min(common, std::size_t(differs - document.begin()));
  }
  return std::int64_t(common);
}

/// The reward of each document; what they begin with alike is computed once.
std::vector<double> rewards_of(const model::Decoder& decoder, const std::vector<Ids>& documents) {
  std::size_t longest = 0;
  for (const Ids& document : documents) longest = std::max(longest, document.size());
  const std::int64_t shared = model::can_share_prefixes(decoder.spec, std::int64_t(longest))
                                  ? common_beginning(documents)
                                  : 0;
  Ids ids(documents.front().begin(), documents.front().begin() + shared), positions;
  Ids borders{0}, prefix_of, last;
  for (std::int64_t i = 0; i < shared; ++i) positions.push_back(i);
  if (shared > 0) {
    borders.push_back(shared);
    prefix_of.push_back(-1);
  }
  for (const Ids& document : documents) {
    for (auto i = std::size_t(shared); i < document.size(); ++i) {
      ids.push_back(document[i]);
      positions.push_back(std::int64_t(i));
    }
    borders.push_back(std::ssize(ids));
    prefix_of.push_back(shared > 0 ? 0 : -1);
    last.push_back(std::ssize(ids) - 1);
  }
  const auto on_device = [&](const Ids& values) {
    return torch::tensor(values).to(decoder.device());
  };
  const Tensor hidden =
      model::hidden_states(decoder, {on_device(ids), on_device(positions), borders, prefix_of});
  const Tensor rewards =
      model::scores(decoder, hidden, on_device(last)).to(torch::kCPU, torch::kFloat64).contiguous();
  const double* r = rewards.const_data_ptr<double>();
  return {r, r + rewards.numel()};
}

ExitCode run_rank(const Arguments& arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  const OpenedModel opened = open_model(arguments.model, common, arguments.chat_template);
  const model::Decoder& decoder = opened.decoder;
  HONE_CHECK(ConfigError, decoder.spec.num_labels == 1 && !decoder.spec.scores_tokens,
             "--model {}: rank needs a reward model, whose head `score` says one number of an "
             "answer; train one with train.method: reward",
             arguments.model.model);
  const auto form = std::ranges::find(kForms, std::string_view(arguments.form), &Form::name);
  const auto options = config::defaults<datasets::DataOptions>();
  const datasets::TextTools tools = engine::text_tools(opened.text, decoder.spec);
  const datasets::RowContext context(options, tools);
  Groups groups(arguments);
  std::int64_t read = 0, written = 0;
  while (const auto group = groups.next()) {
    ++read;
    try {
      const Ranked ranked{*group, rewards_of(decoder, documents_of(*group, context)),
                          arguments.min_margin};
      for (const Row& row : form->rows(ranked)) {
        print_row(row);
        ++written;
      }
    } catch (const DataError& error) {
      throw DataError(fmt::format("{}: {}", group->where, error.what()));
    }
    log::set_status_line(fmt::format("{} prompts, {} rows", read, written));
  }
  log::set_status_line("");
  log::info("{} prompts, {} rows written", read, written);
  return ExitCode::kDone;
}

}  // namespace

Action declare_rank(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->model.declare(command, /*model_required=*/true);
  command
      .add_option("--input", arguments->input,
                  "JSONL rows (- for stdin) of `prompt` (a text or messages), `messages` or "
                  "`prompt_ids`, with `completions`: a list of answers in the same form")
      ->required();
  command.add_option("--candidates", arguments->candidates,
                     "What `hone generate --json --num-return-sequences N` made of --input, in the "
                     "place of `completions`");
  command
      .add_option("--as", arguments->form,
                  "What is written. preference: the best answer against the worst. best: the best "
                  "answer, to fine-tune on (rejection sampling). scored: every answer with its "
                  "score")
      ->check(CLI::IsMember({"preference", "best", "scored"}))
      ->capture_default_str();
  command
      .add_option("--min-margin", arguments->min_margin,
                  "preference and best: leave out prompts whose best answer is ahead of the worst "
                  "by less")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--chat-template", arguments->chat_template,
                     "Of messages: a built-in template's name or a file; empty: the tokenizer's");
  return [arguments, &common] { return run_rank(*arguments, common); };
}

}  // namespace hone::cli
