#include "engine/exact_match.h"

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "datasets/files.h"
#include "datasets/record_reader.h"
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
Question question_of(const datasets::PlacedRecord& row, const Text& text) {
  ordered_json asked = row.record.value;
  const bool ends_with_answer = row.record.kind == datasets::RecordKind::kConversation &&
                                asked["messages"].size() >= 2 &&
                                asked["messages"].back().is_object() &&
                                asked["messages"].back().value("role", "") == "assistant" &&
                                asked["messages"].back().contains("content") &&
                                asked["messages"].back()["content"].is_string();
  HONE_CHECK(DataError, ends_with_answer,
             "{}: exact match needs a conversation that ends with an assistant's text; turn "
             "eval.exact_match off for other rows",
             row.where);
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
                               const datasets::DataOptions& data, const EvalOptions& options) {
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("eval.exact_match");
  std::vector<Question> questions;
  datasets::RecordReader reader(datasets::expand_files(data.eval), data.format, data.columns);
  while (const auto row = reader.next()) questions.push_back(question_of(*row, text));
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
