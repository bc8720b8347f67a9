#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/incremental_pca.h"

// EVA (arXiv:2410.07170): A begins as the directions in which a module's inputs vary most, B as
// zero, and ranks go to the modules whose inputs the next direction explains most of. As PEFT's
// initialize_lora_eva_weights.

namespace hone::adapters {

/// What adapter_config.json has under eva_config; PEFT's names.
struct EvaOptions {
  double rho;                   ///< a module gets at most rho · r ranks
  double tau;                   ///< cosine with the direction before, from which it rests
  bool use_label_mask;          ///< only tokens that are trained on are looked at
  bool whiten;                  ///< divide directions by the roots of their singular values
  bool adjust_scaling_factors;  ///< alpha grows and shrinks with the rank
};

/// The A of each module that is given ranks, by name: [rank, in] f32.
using EvaStart = std::map<std::string, Tensor>;

/// Whether settings say that an adapter begins so.
bool begins_by_eva(const Settings& settings);
EvaOptions eva_options(const Settings& settings);

/// The search for these directions over as many batches as it takes. While it lives, it listens at
/// the decoder's linear layers; nothing else may be attached to them.
class EvaSearch {
 public:
  /// @param settings of a method of LoRA's kind; they choose modules and ranks
  /// @throws ConfigError as make_adapter does
  EvaSearch(model::Decoder& decoder, const Method& method, const Settings& settings);
  ~EvaSearch();
  EvaSearch(const EvaSearch&) = delete;
  EvaSearch& operator=(const EvaSearch&) = delete;

  /// Runs a batch through the model and takes in what its modules are given.
  /// @param rows_K i64, the tokens of the stream that are looked at; undefined: all. An expert
  ///        looks at all that reach it
  void see(const model::TokenStream& tokens, const Tensor& rows_K);

  /// Whether the directions that have been given a rank stay where they are.
  bool has_converged() const;
  /// @throws ConfigError naming modules that were given too few tokens to find directions in
  EvaStart start() const;
  /// Modules that are watched, and inputs that are different: modules that read the same one share
  /// its directions.
  std::int64_t modules() const { return std::ssize(modules_); }
  std::int64_t inputs() const { return std::ssize(inputs_); }

 private:
  /// What one module or several are given.
  struct Input {
    IncrementalPca pca;
    std::vector<Tensor> waiting;  ///< rows that are too few so far
    std::int64_t rows_waiting = 0;
    Tensor cosines;  ///< [components] with the directions before; undefined until there are any
    bool rests = false;
  };
  struct Module {
    Site site;
    std::int64_t own_rank, most;  ///< what the settings give it, and what it can be given
    std::int64_t rank;            ///< what it is given
    std::optional<std::size_t> input;
  };
  void hear(std::size_t module, const Tensor& x_NI);
  void join_input(std::size_t module, const Tensor& x_NI);
  void take_in(Input& input, const Tensor& rows);
  void distribute_ranks();

  model::Decoder& decoder_;
  EvaOptions options_;
  std::string where_;  ///< what messages call the settings
  std::vector<Module> modules_;
  std::vector<Input> inputs_;
  std::int64_t components_ = 0;
  Tensor rows_K_;
  Tensor last_x_;  ///< what was heard last, and by whom: the next module may be given the same
  std::size_t last_module_ = 0;
};

/// A fresh adapter that begins so: with the modules, ranks and alphas of `start`, which its
/// settings then say.
Adapter make_eva_adapter(model::Decoder& decoder, const Method& method, Settings settings,
                         std::uint64_t seed, const EvaStart& start);

}  // namespace hone::adapters
