#include "distributed/options.h"

#include <fmt/format.h>

#include "distributed/strategy.h"

namespace hone::distributed {

using namespace config;

namespace {

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const Strategy& strategy : strategies()) names.emplace_back(strategy.name);
  return names;
}

std::string strategy_help() {
  std::string help = "What the processes of a run divide among themselves.";
  for (const Strategy& strategy : strategies())
    help += fmt::format(" {}: {}.", strategy.name, strategy.help);
  return help;
}

}  // namespace

const Table<DistributedOptions>& DistributedOptions::table() {
  static const Table<DistributedOptions> table(
      "distributed",
      "Several processes that train one model: hone launch, torchrun, SLURM or MPI starts them. "
      "One "
      "process alone needs none of it.",
      {field("strategy", &DistributedOptions::strategy, "ddp", choices(strategy_names()),
             std::string_view(strategy_help())),
       field(
           "timeout_s", &DistributedOptions::timeout_s, 60, at_least(1), unit("seconds"),
           "How long a process waits within a step for one that lives and does not come; one that "
           "is dead is noticed within seconds, whatever this says."),
       field(
           "first_step_timeout_s", &DistributedOptions::first_step_timeout_s, 1800, at_least(1),
           unit("seconds"),
           "The same for the first step, and between steps, where evaluations and checkpoints are "
           "made."),
       field("backend", &DistributedOptions::backend, "auto", choices({"auto", "gloo"}),
             "What carries tensors between processes. auto: NCCL those of a GPU, Gloo the others. "
             "gloo: all of them, those of a GPU through the host, as processes need that share one "
             "GPU."),
       field("reduce_dtype", &DistributedOptions::reduce_dtype, "fp32", choices({"fp32", "bf16"}),
             "What gradients are sent in. bf16 halves the traffic: each process's gradient is "
             "rounded to bf16, these are added up in fp32, and the sum is rounded once more, so "
             "that a number is off by at most 2^-8 of the sum of its parts' sizes and 2^-8 of its "
             "own."),
       field("bucket_mb", &DistributedOptions::bucket_mb, 25.0, above(0), unit("MB"),
             "Where the model's own weights are trained, ddp sends gradients in pieces of about "
             "this size, each as soon as it is complete, while the backward pass goes on with the "
             "layers before. Smaller ones begin sooner, larger ones cost fewer messages."),
       field(
           "balance", &DistributedOptions::balance, "auto", choices({"auto", "always", "never"}),
           "Share the rows of a step out to its micro-batches by their tokens, so that no process "
           "waits long for another; each has per_device_train_batch_size rows in the mean. The "
           "rows of a step stay, with one process too, so that it takes the steps of several. "
           "auto: where that changes a step by no more than rounding, so not with dropout "
           "(adapter.lora_dropout, or what adapter.init_from may have) or NEFTune's noise, which a "
           "row's place in its step draws, nor with EVA's start, kto.kl_scope: micro_batch, the "
           "losses of AOT, or weighted DPO with an SFT loss. Token budgets "
           "(train.tokens_per_device_batch) are balanced as they are."),
       field("check_steps", &DistributedOptions::check_steps, 50, at_least(0),
             unit("optimizer steps"),
             "Every so many steps the processes compare checksums of the trained weights and of "
             "the step's rows; a difference ends the run and names the process and the tensor. 0: "
             "never."),
       field("shard_size", &DistributedOptions::shard_size, 0, at_least(0),
             "Strategy hybrid: how many processes hold a model together; their number has to be a "
             "multiple of it. 0: those of a machine."),
       field(
           "gather_ahead", &DistributedOptions::gather_ahead, true,
           "Strategies fsdp and hybrid: the next layer's weights are gathered while one computes, "
           "so that two layers are there at a time; without it one, and the layers wait.")});
  return table;
}

}  // namespace hone::distributed
