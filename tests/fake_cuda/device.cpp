// A CUDA device for a build of PyTorch that has none. Its memory is the host's, and its
// kernels are those of the CPU, which see its tensors as their own. So every number is
// computed, while PyTorch takes cuda:0 for a device like any other: it refuses to mix
// the two, dispatches autocast for CUDA, and hands the backward pass to its thread.
//
// Between capture_begin and capture_end every operation is recorded, and what it has
// changed is put back, as if it had not run; replay runs the list again, on the same
// memory.
//
// Preloaded (LD_PRELOAD), since PyTorch asks for the hooks once, while it starts.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

using namespace at;
using c10::IValue;
using torch::jit::Stack;

namespace {

const Device CUDA0(kCUDA, 0);

// Memory

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* start = c10::alloc_cpu(bytes);
    return {start, start, &c10::free_cpu, CUDA0};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
} memory;
REGISTER_ALLOCATOR(kCUDA, &memory)

// The same bytes, as a tensor of another device.
Tensor seen_from(Device device, const Tensor& tensor) {
  Tensor seen = for_blob(tensor.data_ptr(), tensor.sizes())
                    .strides(tensor.strides())
                    .deleter([tensor](void*) {})
                    .options(tensor.options().device(device))
                    .target_device(device)
                    .allocator(GetAllocator(device.type()))
                    .resizeable_storage()
                    .make_tensor();
  if (tensor.is_conj()) seen._set_conj(true);
  if (tensor.is_neg()) seen._set_neg(true);
  return seen;
}

Tensor on_host(const Tensor& tensor) {
  return tensor.is_cuda() ? seen_from(kCPU, tensor) : tensor;
}

// Random numbers: those of a CPU generator with the same seed.

struct Random final : GeneratorImpl {
  explicit Random(Generator source = at::detail::createCPUGenerator())
      : GeneratorImpl(CUDA0, DispatchKeySet(DispatchKey::CUDA)), source(source) {}
  void set_current_seed(uint64_t seed) override { source.set_current_seed(seed); }
  void set_offset(uint64_t offset) override { source.set_offset(offset); }
  uint64_t get_offset() const override { return source.get_offset(); }
  uint64_t current_seed() const override { return source.current_seed(); }
  uint64_t seed() override { return source.seed(); }
  void set_state(const c10::TensorImpl& state) override {
    source.unsafeGetGeneratorImpl()->set_state(state);
  }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return source.unsafeGetGeneratorImpl()->get_state();
  }
  Random* clone_impl() const override { return new Random(source.clone()); }
  Generator source;
};

// Recording

struct Recorded {
  c10::OperatorHandle operation;
  Stack arguments, results;
};

struct Recording {
  std::vector<Recorded> steps;
  std::vector<std::pair<Tensor, Tensor>> before;  // what was changed, and its old value
};

Recording* open = nullptr;  // while a capture goes on
bool spoiled = false;       // by what a capture does not permit
std::vector<Recording> recordings;
int waits = 0;  // of the host, for a number of the device

std::vector<Tensor> tensors_of(const IValue& value) {
  std::vector<Tensor> found;
  if (value.isTensor()) found = {value.toTensor()};
  if (value.isTensorList()) found = value.toTensorVector();
  if (value.isOptionalTensorList())
    for (const std::optional<Tensor>& each : value.toOptionalTensorVector())
      if (each) found.push_back(*each);
  return found;
}

void refuse(bool wrong, const std::string& what) {
  spoiled |= wrong;
  TORCH_CHECK(!wrong, "CUDA error: operation not permitted when stream is capturing: ",
              what);
}

bool writes(const c10::Argument& argument) {
  return argument.alias_info() && argument.alias_info()->isWrite();
}

void run_on_host(const c10::OperatorHandle& operation, Stack* stack) {
  AutoDispatchBelowAutograd no_autograd;
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  operation.redispatchBoxed(DispatchKeySet(DispatchKey::CPU), stack);
}

Stack run(const c10::OperatorHandle& operation, const Stack& arguments) {
  const auto& named = operation.schema().arguments();
  for (size_t i = 0; open && i < named.size(); ++i)
    for (const Tensor& each : tensors_of(arguments[i]))
      if (writes(named[i])) open->before.emplace_back(each, each.clone());
  Stack results = arguments;
  run_on_host(operation, &results);
  if (open) open->steps.push_back({operation, arguments, results});
  return results;
}

void run_again(const Recorded& step) {
  Stack results = step.arguments;
  run_on_host(step.operation, &results);
  for (size_t i = 0; i < results.size(); ++i) {
    auto found = tensors_of(results[i]), place = tensors_of(step.results[i]);
    for (size_t j = 0; j < found.size(); ++j)
      if (found[j].defined() && found[j].data_ptr() != place[j].data_ptr())
        place[j].copy_(found[j]);
  }
}

// One operation

// A CUDA kernel takes single numbers from the CPU, and what indexes `x[i]`.
void require_on_device(const c10::FunctionSchema& schema, const Stack& arguments) {
  const std::string name = schema.name();
  const bool indexing = name == "aten::index" || name.find("index_put") != name.npos;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto& argument = schema.arguments()[i];
    if (arguments[i].isGenerator())
      TORCH_CHECK(arguments[i].toGenerator().device() == CUDA0,
                  "Expected a 'cuda' device type for generator but found 'cpu'");
    for (const Tensor& each : tensors_of(arguments[i])) {
      bool right = !each.defined() || each.is_cuda();
      right |= each.dim() == 0 && !writes(argument);
      right |= indexing && argument.name() == "indices";
      TORCH_CHECK(right, "Expected all tensors to be on the same device, but ", name,
                  " got '", argument.name(), "' on ", each.device());
    }
  }
}

// What the kernel of the fused Adam takes for granted, or a recorded step needs.
void require_for_adam(const Stack& arguments) {
  for (size_t i = 0; i < 7; ++i)  // weights, gradients, three moments, steps, lr
    for (const Tensor& each : tensors_of(arguments[i]))
      TORCH_CHECK(each.is_cuda() && (i < 5 || each.scalar_type() == kFloat),
                  "fused Adam: argument ", i, " is ", each.scalar_type(), " on ",
                  each.device(), "; all are on the device, steps and lr in float32");
}

IValue map_tensors(const IValue& value, const std::function<Tensor(const Tensor&)>& f) {
  if (value.isTensor()) return value.toTensor().defined() ? f(value.toTensor()) : value;
  if (value.isTensorList()) {
    auto list = value.toTensorVector();
    for (Tensor& each : list) each = each.defined() ? f(each) : each;
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<Tensor>> list;
    for (const std::optional<Tensor>& each : value.toOptionalTensorVector())
      list.push_back(each && each->defined() ? std::optional(f(*each)) : each);
    return list;
  }
  if (value.isGenerator() && value.toGenerator().device() == CUDA0)
    return static_cast<Random*>(value.toGenerator().unsafeGetGeneratorImpl())->source;
  if (value.isDevice() && value.toDevice().is_cuda()) return Device(kCPU);
  return value;
}

bool asks_for_numbers(const std::string& name) {
  return name == "aten::_local_scalar_dense" || name == "aten::equal" ||
         name == "aten::nonzero";
}

void compute(const c10::OperatorHandle& operation, Stack* stack) {
  const auto& schema = operation.schema();
  Stack arguments = torch::jit::pop(*stack, schema.arguments().size());
  require_on_device(schema, arguments);
  if (schema.name() == "aten::_fused_adam_") require_for_adam(arguments);
  if (asks_for_numbers(schema.name())) {
    ++waits;
    refuse(open, schema.name());
  }
  std::unordered_map<c10::TensorImpl*, Tensor> original;
  for (IValue& value : arguments)
    value = map_tensors(value, [&](const Tensor& tensor) {
      Tensor host = on_host(tensor);
      original[host.unsafeGetTensorImpl()] = tensor;
      return host;
    });
  for (const IValue& value : run(operation, arguments))
    stack->push_back(map_tensors(value, [&](const Tensor& host) {
      auto found = original.find(host.unsafeGetTensorImpl());
      if (found == original.end()) return seen_from(CUDA0, host);
      const Tensor& tensor = found->second;  // a result may have given it a size
      if (tensor.sizes() != host.sizes()) tensor.resize_(host.sizes());
      if (tensor.data_ptr() != host.data_ptr()) tensor.copy_(seen_from(CUDA0, host));
      return tensor;
    }));
}

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

// What makes tensors, looks at them in another way, or goes between the devices

Tensor empty(IntArrayRef size, std::optional<ScalarType> type, std::optional<Layout>,
             std::optional<Device>, std::optional<bool>,
             std::optional<MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, DispatchKeySet(DispatchKey::CUDA),
                                   dtype_or_default(type), format);
}

Tensor empty_strided(IntArrayRef size, IntArrayRef stride,
                     std::optional<ScalarType> type, std::optional<Layout>,
                     std::optional<Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &memory,
                                           DispatchKeySet(DispatchKey::CUDA),
                                           dtype_or_default(type));
}

Tensor& copy(Tensor& self, const Tensor& source, bool) {
  static const auto operation =
      c10::Dispatcher::singleton().findSchemaOrThrow("aten::copy_", "");
  waits += !self.is_cuda();
  if (open) refuse(!self.is_cuda() || !source.is_cuda(), "copy between the devices");
  run(operation, {on_host(self), on_host(source), false});
  return self;
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("copy_", &copy);
  library.impl("as_strided", &native::as_strided_tensorimpl);
  library.impl("view", &native::view);
  library.impl("unfold", &native::unfold);
  library.impl("_reshape_alias", &native::_reshape_alias);
  library.impl("resize_", &native::resize_);
  library.impl("set_.source_Storage", TORCH_FN(native::set_));
  library.impl("set_.source_Tensor", &native::set_tensor_);
  library.impl("set_.source_Storage_storage_offset", &native::set_storage_cpu_);
}

// The device itself

struct Guard final : c10::impl::DeviceGuardImplInterface {
  DeviceType type() const override { return kCUDA; }
  Device exchangeDevice(Device) const override { return CUDA0; }
  Device getDevice() const override { return CUDA0; }
  void setDevice(Device) const override {}
  void uncheckedSetDevice(Device) const noexcept override {}
  Stream getStream(Device) const noexcept override { return the_stream(); }
  Stream getDefaultStream(Device) const override { return the_stream(); }
  Stream exchangeStream(Stream stream) const noexcept override { return stream; }
  DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const Stream&, DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, DeviceIndex) const noexcept override {}
  bool queryStream(const Stream&) const override { return true; }
  void synchronizeStream(const Stream&) const override {}
  bool isStreamCapturing(const Stream&) const override { return open != nullptr; }
  static Stream the_stream() { return Stream(Stream::DEFAULT, CUDA0); }
} guard;
c10::impl::DeviceGuardImplRegistrar registered_guard(kCUDA, &guard);

}  // namespace

namespace at {
struct CUDAHooks : CUDAHooksInterface {  // the name that PyTorch looks for
  explicit CUDAHooks(CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(DeviceIndex) const override {}
  DeviceIndex exchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex current_device() const override { return 0; }
  int getNumGPUs() const override { return 1; }
  Allocator* getPinnedMemoryAllocator() const override { return GetCPUAllocator(); }
  bool isPinnedPtr(const void*) const override { return false; }
  Generator getNewGenerator(DeviceIndex) const override {
    return make_generator<Random>();
  }
  const Generator& getDefaultGenerator(DeviceIndex) const override {
    static const Generator the_default = make_generator<Random>();
    return the_default;
  }
};
REGISTER_CUDA_HOOKS(CUDAHooks)
}  // namespace at

// For Python, through ctypes

extern "C" {
int host_waits() { return waits; }

int capturing() { return open != nullptr; }

void capture_begin() {
  open = new Recording;
  spoiled = false;
}

int capture_end() {  // its number; -1 where nothing was recorded, -2 if it was spoiled
  Recording done = std::move(*open);
  delete open;
  open = nullptr;
  for (auto each = done.before.rbegin(); each != done.before.rend(); ++each)
    if (each->first.sizes() == each->second.sizes())  // else it is a new tensor
      each->first.copy_(each->second);
  if (spoiled) return -2;
  if (done.steps.empty()) return -1;
  recordings.push_back(std::move(done));
  return static_cast<int>(recordings.size()) - 1;
}

void replay(int number) {
  for (const Recorded& step : recordings[number].steps) run_again(step);
}
}
