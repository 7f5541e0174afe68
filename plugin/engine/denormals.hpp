// Arithmetic without denormal numbers, which are slow, for as long as a block is worked on.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace rtnmf {

// Makes this thread count denormal numbers as 0 while it lives, where the processor can.
class FlushedDenormals {
  public:
    FlushedDenormals() noexcept : before(control()) { set_control(before | FLUSHED); }
    ~FlushedDenormals() { set_control(before); }
    FlushedDenormals(const FlushedDenormals&) = delete;
    FlushedDenormals& operator=(const FlushedDenormals&) = delete;

  private:
#if defined(__SSE2__)
    using Control = unsigned;
    static constexpr Control FLUSHED = 0x8040;
    static Control control() noexcept { return _mm_getcsr(); }
    static void set_control(Control value) noexcept { _mm_setcsr(value); }
#elif defined(__aarch64__)
    using Control = std::uint64_t;
    static constexpr Control FLUSHED = Control(1) << 24;
    static Control control() noexcept {
        Control value;
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(value));
        return value;
    }
    static void set_control(Control value) noexcept { __asm__ __volatile__("msr fpcr, %0" : : "r"(value)); }
#else
    using Control = unsigned;
    static constexpr Control FLUSHED = 0;
    static Control control() noexcept { return 0; }
    static void set_control(Control) noexcept {}
#endif

    Control before;
};

}  // namespace rtnmf
