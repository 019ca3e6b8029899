#include "worker/moe/lend_away.h"

#include <torch/csrc/autograd/function.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace balancemoe::worker {
namespace {

using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::variable_list;

// A Node and no Function, because only so it can choose its place in the order.
class LentNode final : public Node {
 public:
  LentNode(c10::intrusive_ptr<LayerPass> pass, edge_list parameters)
      : Node(std::move(parameters)), pass_(std::move(pass)) {}
  LentNode(uint64_t sequence_number, c10::intrusive_ptr<LayerPass> pass,
           edge_list parameters)
      : Node(sequence_number, std::move(parameters)), pass_(std::move(pass)) {}

  std::string name() const override { return "LentNode"; }

  // Several gradients may belong to one parameter: autograd adds them in the
  // order given here, after those that came before, from home's own backward.
  variable_list apply(variable_list&& /*gradients*/) override {
    variable_list gradients;
    for (size_t i = 0; i < pass_->lends().returned_count(); ++i) {
      for (const torch::Tensor& part : pass_->AwaitReturned(i).all) {
        gradients.push_back(part);
      }
    }
    return gradients;
  }

 private:
  const c10::intrusive_ptr<LayerPass> pass_;
};

// Autograd runs the highest number first, so this one runs after all others.
constexpr uint64_t kLast = 0;

}  // namespace

torch::Tensor LendAway(const c10::intrusive_ptr<LayerPass>& pass) {
  if (!torch::GradMode::is_enabled() || pass->lends().returned_count() == 0) {
    return pass->context().anchor;
  }
  variable_list parameters;
  for (size_t i = 0; i < pass->lends().returned_count(); ++i) {
    const ExpertTensors& expert =
        *pass->context().store->Find(pass->lends().returned_expert(i));
    parameters.insert(parameters.end(), expert.all.begin(), expert.all.end());
  }
  edge_list edges = torch::autograd::collect_next_edges(parameters);
  // A layer that is used several times in one graph adds up its gradients in
  // the order of its uses, the latest first. The first use may be put off to
  // the end, the others may not, or their gradients would come in another order
  // than without lends, and sums differ in the last bit.
  const std::shared_ptr<Node> node(
      pass->nested() ? new LentNode(pass, std::move(edges))
                     : new LentNode(kLast, pass, std::move(edges)),
      torch::autograd::deleteNode);
  torch::Tensor lent = pass->Zero();
  torch::autograd::create_gradient_edge(lent, node);
  return lent;
}

}  // namespace balancemoe::worker
