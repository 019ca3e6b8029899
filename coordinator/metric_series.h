#ifndef BALANCEMOE_COORDINATOR_METRIC_SERIES_H_
#define BALANCEMOE_COORDINATOR_METRIC_SERIES_H_

#include <prometheus/family.h>
#include <prometheus/labels.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace balancemoe::coordinator {

// One series of a metric, which ends with this object: a job that is over
// leaves nothing in the scrape. The family must outlive it. As thread-safe as
// `T`.
template <typename T>
class Series {
 public:
  // `arguments` are those of T's constructor, such as a histogram's buckets.
  template <typename... Arguments>
  Series(prometheus::Family<T>& family, const prometheus::Labels& labels,
         Arguments&&... arguments)
      : family_(family),
        metric_(family.Add(labels, std::forward<Arguments>(arguments)...)) {}
  ~Series() { family_.Remove(&metric_); }
  Series(const Series&) = delete;
  Series& operator=(const Series&) = delete;

  T* operator->() const { return &metric_; }

 private:
  prometheus::Family<T>& family_;
  T& metric_;
};

// The series of one job that differ in one more label, made as its values come
// up. Values must be few and ours, never a peer's. Not thread-safe.
template <typename T>
class SeriesByLabel {
 public:
  SeriesByLabel(prometheus::Family<T>& family, prometheus::Labels labels,
                std::string label)
      : family_(family), labels_(std::move(labels)), label_(std::move(label)) {}

  T& operator[](absl::string_view value) {
    std::string key(value);
    auto found = series_by_value_.find(key);
    if (found == series_by_value_.end()) {
      prometheus::Labels labels = labels_;
      labels[label_] = key;
      found =
          series_by_value_.try_emplace(std::move(key), family_, labels).first;
    }
    return *found->second.operator->();
  }

 private:
  prometheus::Family<T>& family_;
  const prometheus::Labels labels_;
  const std::string label_;
  std::map<std::string, Series<T>> series_by_value_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_METRIC_SERIES_H_
