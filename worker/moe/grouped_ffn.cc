#include "worker/moe/grouped_ffn.h"

#include <torch/csrc/autograd/custom_function.h>

#include <numeric>
#include <utility>

namespace balancemoe::worker {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr char kGroupKey[] = "group";
constexpr char kSlotsKey[] = "slots";

// Where each slot's rows end: what grouped kernels go by.
torch::Tensor EndsOf(const ExpertGroup& group) {
  std::vector<int32_t> ends(group.rows_of_slot.size());
  std::partial_sum(group.rows_of_slot.begin(), group.rows_of_slot.end(),
                   ends.begin());
  return torch::tensor(ends, torch::kInt).to(group.slots.w1().device());
}

torch::Tensor Product(const ExpertGroup& group, const torch::Tensor& a,
                      const torch::Tensor& b, const torch::Tensor& ends) {
  return at::_grouped_mm(a.to(group.dtype), b.to(group.dtype), ends)
      .to(torch::kFloat);
}

// Row i of `bias`, [slots, *], for each row of slot i.
torch::Tensor PerRow(const ExpertGroup& group, const torch::Tensor& bias,
                     int64_t rows) {
  const torch::Tensor repeats =
      torch::tensor(group.rows_of_slot, torch::kLong).to(bias.device());
  return torch::repeat_interleave(bias, repeats, /*dim=*/0,
                                  /*output_size=*/rows);
}

// The reverse: sums of each slot's rows. One kernel each, in a fixed order,
// which one for all would not keep.
torch::Tensor PerSlot(const ExpertGroup& group, const torch::Tensor& rows) {
  torch::Tensor sums = rows.new_zeros(
      {static_cast<int64_t>(group.rows_of_slot.size()), rows.size(1)});
  int64_t begin = 0;
  for (size_t slot = 0; slot < group.rows_of_slot.size(); ++slot) {
    const int64_t count = group.rows_of_slot[slot];
    torch::Tensor sum = sums[static_cast<int64_t>(slot)];
    if (count > 0) torch::sum_out(sum, rows.narrow(0, begin, count), 0);
    begin += count;
  }
  return sums;
}

class GroupedFfnFunction
    : public torch::autograd::Function<GroupedFfnFunction> {
 public:
  // `inputs` are the members' batches, then the parameters of each.
  static variable_list forward(AutogradContext* context,
                               c10::intrusive_ptr<LayerPass> pass,
                               c10::intrusive_ptr<ExpertGroup> group,
                               std::vector<int64_t> slots,
                               at::TensorList inputs) {
    const absl::Time start = pass->context().clock.Now();
    const torch::Tensor x = torch::cat(inputs.slice(0, slots.size()));
    FfnActivations activations;
    const torch::Tensor out = GroupedForward(x, *group, activations);
    variable_list saved = {x, activations.before, activations.after};
    const at::TensorList parameters = inputs.slice(slots.size());
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(std::move(saved));
    pass->EndCompute(start, x.size(0), /*backward=*/false);
    pass->times().tokens_computed += x.size(0);
    variable_list outputs =
        at::unsafe_split_with_sizes(out, RowsOf(*group, slots));
    context->saved_data[kGroupKey] =
        c10::IValue::make_capsule(std::move(group));
    context->saved_data[kSlotsKey] = std::move(slots);
    LayerPass::SaveIn(context, std::move(pass));
    return outputs;
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const auto pass = LayerPass::Of(context);
    const auto group = c10::static_intrusive_pointer_cast<ExpertGroup>(
        context->saved_data.at(kGroupKey).toCapsule());
    const std::vector<int64_t> slots =
        context->saved_data.at(kSlotsKey).toIntVector();
    const absl::Time start = pass->context().clock.Now();
    const variable_list saved = context->get_saved_variables();
    ExpertTensors of_slots;
    const torch::Tensor gradient_x =
        GroupedBackward(torch::cat(gradients), saved[0], {saved[1], saved[2]},
                        *group, of_slots);
    pass->EndCompute(start, saved[0].size(0), /*backward=*/true);
    pass->EndStep();
    variable_list results(3);
    for (torch::Tensor& batch :
         at::unsafe_split_with_sizes(gradient_x, RowsOf(*group, slots))) {
      results.push_back(std::move(batch));
    }
    for (const int64_t slot : slots) {
      for (const torch::Tensor& part : of_slots.all) {
        results.push_back(part[slot]);
      }
    }
    return results;
  }

 private:
  static std::vector<int64_t> RowsOf(const ExpertGroup& group,
                                     const std::vector<int64_t>& slots) {
    std::vector<int64_t> rows;
    for (const int64_t slot : slots) {
      rows.push_back(group.rows_of_slot[static_cast<size_t>(slot)]);
    }
    return rows;
  }
};

}  // namespace

torch::Tensor GroupedForward(const torch::Tensor& x, const ExpertGroup& group,
                             FfnActivations& activations) {
  const torch::Tensor ends = EndsOf(group);
  const ExpertTensors& slots = group.slots;
  activations.before = Product(group, x, slots.w1().transpose(1, 2), ends)
                           .add_(PerRow(group, slots.b1(), x.size(0)));
  activations.after = FfnActivate(activations.before, group.gated());
  return Product(group, activations.after, slots.w2().transpose(1, 2), ends)
      .add_(PerRow(group, slots.b2(), x.size(0)));
}

torch::Tensor GroupedBackward(const torch::Tensor& gradient_out,
                              const torch::Tensor& x,
                              const FfnActivations& activations,
                              const ExpertGroup& group,
                              ExpertTensors& gradient) {
  const torch::Tensor ends = EndsOf(group);
  const torch::Tensor after =
      Product(group, gradient_out, group.slots.w2(), ends);
  const torch::Tensor before =
      FfnActivateBackward(after, activations.before, group.gated());
  gradient.all = {Product(group, before.t(), x, ends), PerSlot(group, before),
                  Product(group, gradient_out.t(), activations.after, ends),
                  PerSlot(group, gradient_out)};
  return Product(group, before, group.slots.w1(), ends);
}

void ComputeGroup(const c10::intrusive_ptr<LayerPass>& pass,
                  const c10::intrusive_ptr<ExpertGroup>& group,
                  const std::vector<GroupMember>& members,
                  std::vector<torch::Tensor>& batches) {
  group->rows_of_slot.assign(static_cast<size_t>(group->slots.w1().size(0)), 0);
  std::vector<int64_t> slots;
  std::vector<torch::Tensor> inputs;
  for (const GroupMember& member : members) {
    group->rows_of_slot[member.slot] = batches[member.batch].size(0);
    slots.push_back(static_cast<int64_t>(member.slot));
    inputs.push_back(batches[member.batch]);
  }
  for (const GroupMember& member : members) {
    inputs.insert(inputs.end(), member.parameters.all.begin(),
                  member.parameters.all.end());
  }
  variable_list outputs =
      GroupedFfnFunction::apply(pass, group, slots, at::TensorList(inputs));
  for (size_t i = 0; i < members.size(); ++i) {
    batches[members[i].batch] = std::move(outputs[i]);
  }
}

}  // namespace balancemoe::worker
