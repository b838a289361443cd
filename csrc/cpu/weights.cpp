#include "cpu/weights.hpp"

#include <algorithm>

#include "common/bfloat16.hpp"

namespace zoom::cpu {
namespace {

using Index = std::int64_t;

Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}

std::int8_t small(int value) {
  return static_cast<std::int8_t>(value);
}

void add(Matrix& m, int count, int ky, int kx, int plane, int dy, int dx) {
  m.taps[count] = {small(ky), small(kx), small(plane), small(dy), small(dx)};
}

// Row 2i of a transposed convolution of stride 2 is weight 0 times row i plus weight 2 times row i - 1, row
// 2i + 1 is weight 1 times row i; columns likewise.
Matrix forward_taps(int kernel, bool up) {
  Matrix m{};
  int count = 0;
  m.parts = up ? 4 : 1;
  for (int part = 0; part < m.parts; ++part) {
    m.begin[part] = count;
    for (int ky = 0; ky < kernel; ++ky) {
      for (int kx = 0; kx < kernel; ++kx) {
        if (!up) {
          add(m, count++, ky, kx, 0, ky - kernel / 2, kx - kernel / 2);
        } else if (ky % 2 == part / 2 && kx % 2 == part % 2) {
          add(m, count++, ky, kx, 0, -ky / 2, -kx / 2);
        }
      }
    }
  }
  m.begin[m.parts] = count;
  return m;
}

// The adjoint. Up-sampling reads gradients that are split into planes by row and column parity.
Matrix backward_taps(int kernel, bool up) {
  Matrix m{};
  int count = 0;
  m.parts = 1;
  for (int ky = 0; ky < kernel; ++ky) {
    for (int kx = 0; kx < kernel; ++kx) {
      if (up) {
        add(m, count++, ky, kx, ky % 2 * 2 + kx % 2, ky / 2, kx / 2);
      } else {
        add(m, count++, ky, kx, 0, kernel / 2 - ky, kernel / 2 - kx);
      }
    }
  }
  m.begin[1] = count;
  return m;
}

// One for each of the 16 places of a transformed square.
Matrix winograd_taps() {
  Matrix m{};
  m.method = Method::winograd;
  m.parts = 16;
  for (int part = 0; part < m.parts; ++part) {
    m.begin[part] = part;
    add(m, part, part / 4, part % 4, 0, 0, 0);
  }
  m.begin[m.parts] = m.parts;
  return m;
}

// G kernel G^T, [4, 4] of [3, 3].
void transform_kernel(const float* kernel, bool up, float* transformed) {
  constexpr float kSame[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  constexpr float kUp[4][3] = {{0, 0, 1}, {1, 0, 1}, {1, 0, 0}, {0, 1, 0}};
  const auto& g = up ? kUp : kSame;
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      float sum = 0.0f;
      for (int y = 0; y < 3; ++y) {
        for (int x = 0; x < 3; ++x) sum += g[i][y] * kernel[3 * y + x] * g[j][x];
      }
      transformed[4 * i + j] = sum;
    }
  }
}

}  // namespace

Weights::Weights(const float* weight, Index out_channels, Index in_channels, Index size, bool upsampling,
                 Type type)
    : isa(current()), kernels(isa.convolutions(type)), storage(type), kernel(size), up(upsampling) {
  const bool winograd = kernels.winograd && kernel == 3;
  Matrix matrix = winograd ? winograd_taps() : forward_taps(static_cast<int>(kernel), up);
  matrix.out_channels = out_channels, matrix.in_channels = in_channels;
  forward_ = pack(matrix, [&](Index out, Index in, float* values) {
    const float* from = weight + (out * in_channels + in) * kernel * kernel;
    if (winograd) return transform_kernel(from, up, values);
    for (int t = 0; t < matrix.begin[matrix.parts]; ++t) {
      values[t] = from[matrix.taps[t].ky * kernel + matrix.taps[t].kx];
    }
  });
}

const Matrix& Weights::backward() const {
  std::call_once(once_, [&] {
    const bool winograd = forward().method == Method::winograd;
    Matrix matrix = winograd ? winograd_taps() : backward_taps(static_cast<int>(kernel), up);
    matrix.out_channels = forward().in_channels, matrix.in_channels = forward().out_channels;
    // The transform of a kernel which is turned by 180 degrees has rows and columns of the other's.
    constexpr int kTurned[4] = {3, 1, 2, 0}, kTurnedUp[4] = {2, 1, 0, 3};
    const auto from = [&](int place) { return !winograd ? place : up ? kTurnedUp[place] : kTurned[place]; };
    backward_ = pack(matrix, [&](Index out, Index in, float* values) {
      for (int t = 0; t < matrix.begin[matrix.parts]; ++t) {
        values[t] = unpacked(in, out, from(matrix.taps[t].ky), from(matrix.taps[t].kx));
      }
    });
  });
  return backward_.matrix;
}

namespace {

// Where weight (out, in) of tap `index` lies: the unit, and which of its channels.
struct Place {
  Index unit, half;
};

Place place(const Matrix& m, const Convolutions& kernels, Index out, Index in, int index) {
  int part = 0;
  while (m.begin[part + 1] <= index) ++part;
  const Index block_channels = kUnits * kernels.unit_channels;
  const Index block = in / block_channels, unit = in % block_channels / kernels.unit_channels;
  const Index taps = m.begin[part + 1] - m.begin[part];
  const Index slice = m.begin[part] * m.blocks + block * taps + index - m.begin[part];
  return {out / kernels.channels * m.tile_size + slice * m.slice + unit * kernels.channels +
              out % kernels.channels,
          in % kernels.unit_channels};
}

}  // namespace

template <class Get>
Weights::Packed Weights::pack(Matrix m, Get&& get) const {
  m.blocks = divide_up(m.in_channels, kUnits * kernels.unit_channels);
  m.slice = kUnits * kernels.channels;
  m.tile_size = m.begin[m.parts] * m.blocks * m.slice;
  Packed packed;
  const Index units = divide_up(m.out_channels, kernels.channels) * m.tile_size;
  packed.memory = allocate(units);
  std::fill_n(packed.memory.get(), units, 0.0f);
  m.data = packed.memory.get();
  for (Index out = 0; out < m.out_channels; ++out) {
    for (Index in = 0; in < m.in_channels; ++in) {
      float values[16];
      get(out, in, values);
      for (int t = 0; t < m.begin[m.parts]; ++t) {
        const Place at = place(m, kernels, out, in, t);
        if (kernels.unit_channels == 1) {
          packed.memory[at.unit] = values[t];
        } else {
          reinterpret_cast<bfloat16*>(packed.memory.get() + at.unit)[at.half] = narrowed(values[t]);
        }
      }
    }
  }
  packed.matrix = m;
  return packed;
}

float Weights::unpacked(Index out, Index in, int ky, int kx) const {
  const Matrix& m = forward();
  int t = 0;
  while (m.taps[t].ky != ky || m.taps[t].kx != kx) ++t;
  const Place at = place(m, kernels, out, in, t);
  if (kernels.unit_channels == 1) return m.data[at.unit];
  return widened(reinterpret_cast<const bfloat16*>(m.data + at.unit)[at.half]);
}

}  // namespace zoom::cpu
