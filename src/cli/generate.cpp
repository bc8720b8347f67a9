#include <chrono>
#include <optional>

#include "base/log.h"
#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "cli/sampling_arguments.h"
#include "io/json.h"
#include "model/generate_stream.h"

namespace hone::cli {
namespace {

using Ids = std::vector<std::int64_t>;

struct Arguments {
  ModelArguments model;
  std::string prompt, messages, input, chat_template;
  SamplingArguments sampling;
  model::StreamOptions stream;
};

/// @param conversation a list of messages, or an object with `messages`
Ids conversation_prompt(const nlohmann::ordered_json& conversation, const engine::Text& text) {
  nlohmann::ordered_json row = conversation;
  if (conversation.is_array()) row = {{"messages", conversation}};
  HONE_CHECK(DataError, row.is_object() && row.contains("messages"),
             "expected a list of messages, or an object with `messages`");
  return engine::encode_conversation(row, text, /*add_generation_prompt=*/true);
}

/// The prompts that the command line names, one after the other.
class Prompts {
 public:
  Prompts(const Arguments& arguments, const OpenedModel& opened)
      : arguments_(arguments), text_(opened.text), vocab_size_(opened.decoder.spec.vocab_size) {
    if (!arguments.input.empty()) rows_.emplace(arguments.input);
  }

  /// None at the end. @throws DataError with the row's place
  std::optional<Ids> next() {
    if (rows_) return next_row();
    if (std::exchange(is_done_, true)) return std::nullopt;
    if (arguments_.messages.empty()) return checked(encode(arguments_.prompt));
    return checked(conversation_prompt(io::read_ordered_json(arguments_.messages), text_));
  }

 private:
  std::optional<Ids> next_row() {
    const auto row = rows_->next();
    if (!row) return std::nullopt;
    return rows_->at(*row, [&] {
      const bool is_conversation = row->value.contains("messages");
      HONE_CHECK(DataError, is_conversation || row->value.contains("prompt"),
                 "expected `prompt` or `messages`");
      return checked(is_conversation ? conversation_prompt(row->value, text_)
                                     : encode(rows_->text(*row, "prompt")));
    });
  }

  Ids encode(const std::string& prompt) const {
    const auto ids =
        text_.require_tokenizer("--prompt").encode(prompt, {.add_special_tokens = true}).ids;
    return {ids.begin(), ids.end()};
  }

  Ids checked(Ids ids) const {
    HONE_CHECK(DataError, !ids.empty(), "the prompt makes no token; there is nothing to continue");
    for (const std::int64_t id : ids)
      HONE_CHECK(DataError, id < vocab_size_,
                 "the prompt has the token {}, and the model knows ids from 0 to {}; the tokenizer "
                 "is not this model's",
                 id, vocab_size_ - 1);
    return ids;
  }

  const Arguments& arguments_;
  const engine::Text& text_;
  std::int64_t vocab_size_;
  std::optional<RowSource> rows_;
  bool is_done_ = false;
};

/// Prints answers as they come, and knows how many there were.
class Answers {
 public:
  Answers(const tokenizer::Tokenizer& tokenizer, const eval::StopTexts& stops, bool json)
      : tokenizer_(tokenizer), stops_(stops), json_(json) {}

  /// The answers to the next prompt.
  void print(const std::vector<model::Generated>& copies) {
    for (std::size_t copy = 0; copy < copies.size(); ++copy) {
      const std::vector<std::int32_t> ids(copies[copy].ids.begin(), copies[copy].ids.end());
      const std::string text = stops_.cut(tokenizer_.decode(ids, /*skip_special=*/true));
      nlohmann::ordered_json row = {{"text", text}, {"ids", ids}};
      if (copies.size() > 1) row.update({{"prompt", prompts_}, {"sequence", copy}});
      if (json_) {
        print_row(row);
      } else {
        std::fwrite((text + "\n").data(), 1, text.size() + 1, stdout);
      }
      tokens_ += std::ssize(ids);
      ++answers_;
    }
    ++prompts_;
    log::set_status_line(fmt::format("{} answers, {} tokens", answers_, tokens_));
  }

  void summarise() const {
    log::set_status_line("");
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
    log::info("{} answers, {} tokens in {:.1f} s: {:.1f} tokens/s", answers_, tokens_,
              seconds.count(), double(tokens_) / seconds.count());
  }

 private:
  const tokenizer::Tokenizer& tokenizer_;
  const eval::StopTexts& stops_;
  bool json_;
  std::int64_t prompts_ = 0, answers_ = 0, tokens_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

ExitCode run_generate(const Arguments& arguments, const Common& common) {
  HONE_CHECK(ConfigError,
             arguments.stream.copies == 1 || arguments.sampling.options.temperature > 0,
             "--num-return-sequences {} without --temperature: they would all be the same",
             arguments.stream.copies);
  const OpenedModel opened = open_model(arguments.model, common, arguments.chat_template);
  const model::SamplingOptions sampling = arguments.sampling.options_for(opened.text, common);
  Prompts prompts(arguments, opened);
  Answers answers(opened.text.require_tokenizer("generate"), arguments.sampling.stops, common.json);
  model::generate_stream(
      opened.decoder, [&] { return prompts.next(); }, sampling, arguments.stream,
      [&](const std::vector<model::Generated>& copies) { answers.print(copies); });
  if (!arguments.input.empty()) answers.summarise();
  return ExitCode::kDone;
}

}  // namespace

Action declare_generate(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->model.declare(command, /*model_required=*/true);
  CLI::Option_group* source = command.add_option_group("source", "What is continued");
  source->add_option("--prompt", arguments->prompt, "A text, continued as it stands");
  source->add_option("--messages", arguments->messages, "A JSON file with a list of messages");
  source->add_option("--input", arguments->input,
                     "JSONL rows of `prompt` or `messages` (- for stdin)");
  source->require_option(1);
  command.add_option("--template", arguments->chat_template,
                     "Instead of the model's own template: a name (" + tokenizer::template_names() +
                         ") or a Jinja file");
  arguments->sampling.declare(command);
  command
      .add_option("--num-return-sequences", arguments->stream.copies,
                  "Answers to each prompt, one after the other; needs a temperature")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--batch-size", arguments->stream.batch_size, "Answers that are made together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  return [arguments, &common] { return run_generate(*arguments, common); };
}

}  // namespace hone::cli
