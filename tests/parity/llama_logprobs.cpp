// What llama.cpp itself says of token ids: reads rows of ids from stdin, one row a line, and prints
// for each row the natural logarithms of the probabilities of its tokens 2 … T. Built by
// llama_cpp.py against the pinned llama.cpp; activations and the cache are f32.

#include <llama.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

double log_prob(const float* logits, int count, llama_token token) {
  const double largest = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += std::exp(double(logits[i]) - largest);
  return double(logits[token]) - largest - std::log(sum);
}

bool print_row(llama_model* model, std::vector<llama_token> ids) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(ids.size());
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.swa_full = true;
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) return false;
  const int count = static_cast<int>(ids.size());
  llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int i = 0; i < count; ++i) {
    batch.token[i] = ids[i];
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = true;
  }
  const bool done = llama_decode(context, batch) == 0;
  const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
  for (int i = 0; done && i + 1 < count; ++i)
    std::printf("%s%.9g", i == 0 ? "" : " ",
                log_prob(llama_get_logits_ith(context, i), vocabulary, ids[i + 1]));
  std::printf("\n");
  llama_batch_free(batch);
  llama_free(context);
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  llama_log_set(
      [](ggml_log_level level, const char* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
      },
      nullptr);
  llama_model* model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (model == nullptr) return 1;
  bool done = true;
  for (std::string line; done && std::getline(std::cin, line);) {
    std::istringstream text(line);
    std::vector<llama_token> ids;
    for (llama_token id; text >> id;) ids.push_back(id);
    done = print_row(model, ids);
  }
  llama_model_free(model);
  return done ? 0 : 1;
}
