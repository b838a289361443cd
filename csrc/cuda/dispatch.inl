// The operators of launch.hpp over a class `Launcher`, made from a Queue, that runs kernels: the one place
// where types and vector widths become template arguments. Included by launch.cu and by the tests' launcher.

namespace zoom::cuda {
namespace {

// body.operator()<T, N>(launcher): on vectors where they fit, else element by element.
template <class Body>
void choose(Type type, const Queue& queue, std::int64_t extent, std::initializer_list<const void*> images,
            Body&& body) {
  Launcher launch(queue);
  const auto width = [&](auto element) {
    using T = decltype(element);
    if (takes_vectors(extent, kVector<T>, images)) {
      body(element, std::integral_constant<int, kVector<T>>{}, launch);
    } else {
      body(element, std::integral_constant<int, 1>{}, launch);
    }
  };
  switch (type) {
    case Type::float32:
      return width(float{});
    case Type::bfloat16:
      return width(bfloat16{});
    case Type::float16:
      return width(float16{});
  }
}

}  // namespace

void modulate(const Modulate& call, const Queue& queue) {
  choose(call.type, queue, call.channels, {call.x, call.out}, [&](auto element, auto n, Launcher& launch) {
    modulate<decltype(element), decltype(n)::value>(call, launch);
  });
}

void modulate_backward(const Modulate& call, const Queue& queue) {
  choose(call.type, queue, call.channels, {call.x, call.grad, call.dx},
         [&](auto element, auto n, Launcher& launch) {
           modulate_backward<decltype(element), decltype(n)::value>(call, launch);
         });
}

void modulated_epilogue(const Epilogue& call, const Queue& queue) {
  choose(call.type, queue, call.channels, {call.x, call.y}, [&](auto element, auto n, Launcher& launch) {
    modulated_epilogue<decltype(element), decltype(n)::value>(call, launch);
  });
}

void modulated_epilogue_backward(const Epilogue& call, const Queue& queue) {
  choose(call.type, queue, call.channels, {call.x, call.grad, call.dx},
         [&](auto element, auto n, Launcher& launch) {
           modulated_epilogue_backward<decltype(element), decltype(n)::value>(call, launch);
         });
}

void upsample2x(const Upsample& call, const Queue& queue) {
  choose(call.type, queue, call.channels == 1 ? call.width : call.channels, {call.from, call.add, call.to},
         [&](auto element, auto n, Launcher& launch) {
           upsample2x<decltype(element), decltype(n)::value>(call, launch);
         });
}

void upsample2x_backward(const Upsample& call, const Queue& queue) {
  choose(call.type, queue, call.channels == 1 ? call.width : call.channels, {call.from, call.to},
         [&](auto element, auto n, Launcher& launch) {
           upsample2x_backward<decltype(element), decltype(n)::value>(call, launch);
         });
}

std::int64_t workspace_floats(std::int64_t batch, std::int64_t channels, std::int64_t height,
                              std::int64_t width, bool fir) {
  // Whichever vector width the call will choose.
  std::int64_t most = floats_of<1>(batch, channels, height, width, fir);
  if (channels % 4 == 0) {
    most = std::max(most, floats_of<4>(batch, channels, height, width, fir));
  }
  if (channels % 8 == 0) {
    most = std::max(most, floats_of<8>(batch, channels, height, width, fir));
  }
  return most;
}

}  // namespace zoom::cuda
