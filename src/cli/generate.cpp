#include "model/generate.h"

#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "cli/sampling_arguments.h"
#include "io/json.h"

namespace hone::cli {
namespace {

struct Arguments {
  ModelArguments model;
  std::string prompt, messages, input, chat_template;
  SamplingArguments sampling;
  std::size_t batch_size = 32;
};

/// Prompts of one batch, and what is printed of their continuations.
void print_batch(const OpenedModel& opened, const std::vector<std::vector<std::int64_t>>& prompts,
                 const Arguments& arguments, const model::SamplingOptions& sampling,
                 std::size_t first, bool json) {
  const tokenizer::Tokenizer& tokenizer = opened.text.require_tokenizer("generate");
  for (const model::Generated& made : model::generate(opened.decoder, prompts, sampling, first)) {
    const std::vector<std::int32_t> ids(made.ids.begin(), made.ids.end());
    const std::string text = arguments.sampling.cut(tokenizer.decode(ids, /*skip_special=*/true));
    if (json) {
      print_row({{"text", text}, {"ids", made.ids}});
    } else {
      std::fwrite((text + "\n").data(), 1, text.size() + 1, stdout);
    }
  }
}

/// @param conversation a list of messages, or an object with `messages`
std::vector<std::int64_t> conversation_prompt(const nlohmann::ordered_json& conversation,
                                              const engine::Text& text) {
  nlohmann::ordered_json row = conversation;
  if (conversation.is_array()) row = {{"messages", conversation}};
  HONE_CHECK(DataError, row.is_object() && row.contains("messages"),
             "expected a list of messages, or an object with `messages`");
  return engine::encode_conversation(row, text, /*add_generation_prompt=*/true);
}

/// Every prompt that the command line names, in order.
std::vector<std::vector<std::int64_t>> read_prompts(const Arguments& arguments,
                                                    const engine::Text& text) {
  if (!arguments.messages.empty())
    return {conversation_prompt(io::read_ordered_json(arguments.messages), text)};
  const auto encode = [&text](const std::string& prompt) {
    const auto ids =
        text.require_tokenizer("--prompt").encode(prompt, {.add_special_tokens = true}).ids;
    return std::vector<std::int64_t>(ids.begin(), ids.end());
  };
  if (!arguments.prompt.empty()) return {encode(arguments.prompt)};
  std::vector<std::vector<std::int64_t>> prompts;
  RowSource rows(arguments.input);
  while (const auto row = rows.next())
    prompts.push_back(rows.at(*row, [&] {
      return row->value.contains("messages") ? conversation_prompt(row->value, text)
                                             : encode(rows.text(*row, "prompt"));
    }));
  return prompts;
}

ExitCode run_generate(const Arguments& arguments, const Common& common) {
  const OpenedModel opened = open_model(arguments.model, common, arguments.chat_template);
  const auto prompts = read_prompts(arguments, opened.text);
  const model::SamplingOptions sampling = arguments.sampling.options_for(opened.text, common);
  for (std::size_t begin = 0; begin < prompts.size(); begin += arguments.batch_size) {
    const std::size_t end = std::min(prompts.size(), begin + arguments.batch_size);
    print_batch(opened,
                {prompts.begin() + std::ptrdiff_t(begin), prompts.begin() + std::ptrdiff_t(end)},
                arguments, sampling, begin, common.json);
  }
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
  command.add_option("--batch-size", arguments->batch_size, "Rows that are continued together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  return [arguments, &common] { return run_generate(*arguments, common); };
}

}  // namespace hone::cli
