#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/table.h"

/// Options made up for the tests: every type, every attribute, sections two deep.
namespace hone::config::test {

struct ScalingOptions {
  std::string type;
  double factor;
  static const Table<ScalingOptions>& table();
};

struct ModelOptions {
  std::string base;
  std::optional<std::string> revision;
  std::optional<std::int64_t> num_labels;
  ScalingOptions rope_scaling;
  static const Table<ModelOptions>& table();
};

struct SourceOptions {
  std::string name;
  double weight;
  std::optional<std::int64_t> max_rows;
  std::vector<std::string> files;
  static const Table<SourceOptions>& table();
};

struct DataOptions {
  std::vector<std::string> train;
  std::vector<SourceOptions> sources;
  std::vector<std::string> columns;
  std::optional<std::string> template_file;
  std::vector<double> shares;
  std::map<std::string, double> mix;
  std::map<std::string, std::string> names;
  bool shuffle;
  static const Table<DataOptions>& table();
};

struct OptimOptions {
  std::string name;
  double learning_rate;
  double weight_decay;
  std::optional<double> max_grad_norm;
  std::optional<bool> fused;
  std::int64_t warmup_steps;
  double warmup_ratio;
  static const Table<OptimOptions>& table();
};

struct RunOptions {
  std::int64_t seed;
  ModelOptions model;
  DataOptions data;
  OptimOptions optim;
  static const Table<RunOptions>& table();
};

}  // namespace hone::config::test
