#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli/model_arguments.h"
#include "cli/sampling_arguments.h"
#include "model/session.h"
#include "tokenizer/named_template.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  SamplingArguments sampling;
  std::string system, chat_template;
};

constexpr const char* kHelp =
    "/reset begins anew, /undo takes the last question back, /exit (or the end of input) leaves\n";

/// Prints text as its tokens come, and holds back what the next token may still change: the bytes
/// of a character that is not whole yet, and what may become a stop text, which is never printed.
class Stream {
 public:
  Stream(const tokenizer::Tokenizer& tokenizer, const eval::StopTexts& stops)
      : tokenizer_(tokenizer), stops_(stops) {}

  void add(std::int64_t id) {
    ids_.push_back(static_cast<std::int32_t>(id));
    std::string text = said();
    constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
    text.resize(text.size() - stops_.undecided(text));
    if (!text.ends_with(kReplacement)) print(text);
  }
  /// What was said, all of it printed.
  std::string finish() {
    std::string text = said();
    print(text);
    std::fputs("\n", stdout);
    std::fflush(stdout);
    return text;
  }

 private:
  std::string said() const { return stops_.cut(tokenizer_.decode(ids_, /*skip_special=*/true)); }

  void print(const std::string& text) {
    if (text.size() <= printed_) return;
    std::fwrite(text.data() + printed_, 1, text.size() - printed_, stdout);
    std::fflush(stdout);
    printed_ = text.size();
  }

  const tokenizer::Tokenizer& tokenizer_;
  const eval::StopTexts& stops_;
  std::vector<std::int32_t> ids_;
  std::size_t printed_ = 0;
};

/// The messages of a chat and the model that answers them.
class Chat {
 public:
  Chat(const OpenedModel& opened, const Arguments& arguments, model::SamplingOptions sampling)
      : opened_(opened),
        arguments_(arguments),
        sampling_(std::move(sampling)),
        session_(opened.decoder) {
    reset();
  }

  void reset() {
    messages_ = ordered_json::array();
    if (!arguments_.system.empty())
      messages_.push_back({{"role", "system"}, {"content", arguments_.system}});
  }

  void undo() {
    while (!messages_.empty() && messages_.back()["role"] != "system") {
      const bool was_question = messages_.back()["role"] == "user";
      messages_.erase(messages_.size() - 1);
      if (was_question) return;
    }
  }

  void ask(const std::string& question) {
    messages_.push_back({{"role", "user"}, {"content", question}});
    const std::vector<std::int64_t> prompt = engine::encode_conversation(
        {{"messages", messages_}}, opened_.text, /*add_generation_prompt=*/true);
    Stream stream(*opened_.text.tokenizer, arguments_.sampling.stops);
    session_.reply(prompt, sampling_, [&](std::int64_t id) { stream.add(id); });
    messages_.push_back({{"role", "assistant"}, {"content", stream.finish()}});
  }

 private:
  const OpenedModel& opened_;
  const Arguments& arguments_;
  model::SamplingOptions sampling_;
  model::Session session_;
  ordered_json messages_;
};

ExitCode run_chat(const Arguments& arguments, const Common& common) {
  const OpenedModel opened = open_model(arguments.model, common, arguments.chat_template);
  opened.text.require_chat_template("chat");
  Chat chat(opened, arguments, arguments.sampling.options_for(opened.text, common));
  const bool is_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
  if (is_terminal) std::fputs(kHelp, stderr);
  std::string line;
  while (true) {
    if (is_terminal) std::fputs("> ", stderr);
    if (!std::getline(std::cin, line) || line == "/exit") return ExitCode::kDone;
    if (line.empty()) continue;
    if (line == "/reset") {
      chat.reset();
    } else if (line == "/undo") {
      chat.undo();
    } else if (line.starts_with('/')) {
      std::fprintf(stderr, "%s is no command. %s", line.c_str(), kHelp);
    } else {
      chat.ask(line);
    }
  }
}

}  // namespace

Action declare_chat(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->model.declare(command, /*model_required=*/true);
  arguments->sampling.declare(command);
  command.add_option("--system", arguments->system, "A system message to begin with");
  command.add_option("--template", arguments->chat_template,
                     "Instead of the model's own template: a name (" + tokenizer::template_names() +
                         ") or a Jinja file");
  return [arguments, &common] { return run_chat(*arguments, common); };
}

}  // namespace hone::cli
