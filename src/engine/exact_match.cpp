#include "engine/exact_match.h"

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "io/jsonl.h"
#include "model/generate.h"

namespace hone::engine {
namespace {

using nlohmann::ordered_json;

std::string trimmed(const std::string& text) {
  constexpr const char* kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

struct Question {
  std::vector<std::int64_t> prompt;
  Answer answer;
};

/// The row's conversation without its last turn, and what that turn was.
Question question_of(const io::JsonlRow& row, const std::string& file, const Text& text) {
  const std::string where = fmt::format("{}:{}", file, row.line_number);
  const bool is_conversation = row.value.contains("messages") && row.value["messages"].is_array() &&
                               row.value["messages"].size() >= 2 &&
                               row.value["messages"].back().is_object() &&
                               row.value["messages"].back().value("role", "") == "assistant" &&
                               row.value["messages"].back().contains("content") &&
                               row.value["messages"].back()["content"].is_string();
  HONE_CHECK(DataError, is_conversation,
             "{}: exact match needs a conversation that ends with an assistant's text; turn "
             "eval.exact_match off for other rows",
             where);
  ordered_json asked = row.value;
  Question question;
  question.answer.expected = asked["messages"].back()["content"];
  asked["messages"].erase(asked["messages"].size() - 1);
  const ordered_json& last = asked["messages"].back();
  if (last.contains("content") && last["content"].is_string())
    question.answer.prompt = last["content"];
  question.prompt = encode_conversation(asked, text, /*add_generation_prompt=*/true);
  return question;
}

}  // namespace

double ExactMatch::rate() const {
  std::size_t exact = 0;
  for (const Answer& answer : answers) exact += answer.exact ? 1 : 0;
  return answers.empty() ? 0 : double(exact) / double(answers.size());
}

ExactMatch measure_exact_match(const model::Decoder& decoder, const Text& text,
                               const std::vector<std::string>& files, const EvalOptions& options) {
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("eval.exact_match");
  std::vector<Question> questions;
  for (const std::string& file : files) {
    io::JsonlReader reader(file);
    while (const auto row = reader.next()) questions.push_back(question_of(*row, file, text));
  }
  model::SamplingOptions sampling{.max_new_tokens = options.max_new_tokens};
  for (const std::int32_t id : text.stop_ids()) sampling.stop_ids.push_back(id);

  ExactMatch result;
  const auto begin = std::chrono::steady_clock::now();
  const auto batch_size = static_cast<std::size_t>(options.generation_batch_size);
  for (std::size_t first = 0; first < questions.size(); first += batch_size) {
    const std::size_t end = std::min(questions.size(), first + batch_size);
    std::vector<std::vector<std::int64_t>> prompts;
    for (std::size_t i = first; i < end; ++i) prompts.push_back(questions[i].prompt);
    const std::vector<model::Generated> made = model::generate(decoder, prompts, sampling, first);
    for (std::size_t i = first; i < end; ++i) {
      const auto& ids = made[i - first].ids;
      const std::vector<std::int32_t> narrow(ids.begin(), ids.end());
      Answer& answer = questions[i].answer;
      answer.given = tokenizer.decode(narrow, /*skip_special=*/true);
      answer.exact = made[i - first].stopped && trimmed(answer.given) == trimmed(answer.expected);
      result.generated_tokens += std::ssize(ids);
      result.answers.push_back(std::move(answer));
    }
    log::set_status_line(fmt::format("answered {}/{}", end, questions.size()));
  }
  log::set_status_line("");
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace hone::engine
