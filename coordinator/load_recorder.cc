#include "coordinator/load_recorder.h"

#include <pthread.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace balancemoe::coordinator {
namespace {

std::string Header(int32_t experts) {
  std::string header = "iteration,layer,rank";
  for (int32_t expert = 0; expert < experts; ++expert) {
    absl::StrAppend(&header, ",e", expert);
  }
  return header + "\n";
}

std::string Rows(const CompleteGather& gather) {
  std::string rows;
  for (int32_t rank = 0; rank < gather.tokens.num_workers(); ++rank) {
    absl::StrAppend(
        &rows, gather.iteration.value(), ",", gather.layer.value(), ",", rank,
        ",", absl::StrJoin(gather.tokens.Row(WorkerRank(rank)), ","), "\n");
  }
  return rows;
}

}  // namespace

absl::Status LoadRecorder::MakeDirectory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error && access(directory.c_str(), W_OK) != 0) {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("--record-loads: ", directory, ": ", error.message()));
}

LoadRecorder::LoadRecorder(Options options, CoordinatorMetrics& metrics)
    : options_(std::move(options)),
      metrics_(metrics),
      writer_([this] { WriterLoop(); }) {
  pthread_setname_np(writer_.native_handle(), "load-recorder");
}

LoadRecorder::~LoadRecorder() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  writer_.join();
}

bool LoadRecorder::Append(const std::string& file, std::string text) {
  MutexLock lock(&mutex_);
  if (ended_.contains(file)) return false;
  if (waiting_bytes_ + text.size() > options_.most_waiting_bytes) {
    ended_.insert(file);
    metrics_.recordings_cut.Increment();
    return false;
  }
  waiting_bytes_ += text.size();
  waiting_.push_back({file, std::move(text)});
  changed_.NotifyAll();
  return true;
}

void LoadRecorder::Flush() {
  MutexLock lock(&mutex_);
  while (writing_ || !waiting_.empty()) changed_.Wait(&mutex_);
}

void LoadRecorder::WriterLoop() {
  mutex_.Lock();
  while (true) {
    while (waiting_.empty() && !ending_) changed_.Wait(&mutex_);
    if (waiting_.empty()) break;
    const Text next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.text.size();
    const bool ended = ended_.contains(next.file);
    writing_ = true;
    mutex_.Unlock();
    const bool failed = !ended && !Write(next);
    mutex_.Lock();
    writing_ = false;
    if (failed) {
      ended_.insert(next.file);
      metrics_.recordings_cut.Increment();
    }
    changed_.NotifyAll();
  }
  mutex_.Unlock();
}

bool LoadRecorder::Write(const Text& text) const {
  std::ofstream file(absl::StrCat(options_.directory, "/", text.file),
                     std::ios::binary | std::ios::app);
  file << text.text;
  file.close();
  return static_cast<bool>(file);
}

JobLoadRecord::JobLoadRecord(LoadRecorder* recorder, const JobId& job,
                             JobEpoch epoch, int32_t layers)
    : recorder_(recorder),
      file_(RecordFileName(job, epoch)),
      layers_(static_cast<size_t>(layers)) {}

void JobLoadRecord::Add(const CompleteGather& gather) {
  if (recorder_ == nullptr) return;
  // Workers that regrouped may repeat what they have done.
  if (recorded_.has_value() && gather.iteration <= *recorded_) return;
  if (gather.iteration != iteration_) rows_by_layer_.clear();
  iteration_ = gather.iteration;
  rows_by_layer_[gather.layer] = Rows(gather);
  if (rows_by_layer_.size() < layers_) return;
  std::string text =
      recorded_.has_value() ? "" : Header(gather.tokens.num_experts());
  for (const auto& [layer, rows] : rows_by_layer_) text += rows;
  rows_by_layer_.clear();
  recorded_ = gather.iteration;
  if (!recorder_->Append(file_, std::move(text))) recorder_ = nullptr;
}

std::string RecordFileName(const JobId& job, JobEpoch epoch) {
  std::string name;
  for (const char c : job) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '-' || c == '_' ||
                       (c == '.' && !name.empty());
    absl::StrAppend(
        &name, plain ? std::string(1, c) : absl::StrFormat("%%%02X", byte));
  }
  return absl::StrCat(name, "-", epoch.value(), ".csv");
}

}  // namespace balancemoe::coordinator
