/* cpu.c --- instruction set detection through the compiler's cpuid helpers. */
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "core/cpu.h"
#include "engine_only.h"

static int	current = -1;

#if defined(__x86_64__)
/* Half-precision conversion: leaf 1, ecx bit 29. (clang 14's __builtin_cpu_supports
 * does not know the name.) Asked once: under a hypervisor cpuid costs microseconds. */
static bool
has_f16c(void)
{
	static int	known = -1;
	unsigned	a,
				b,
				c,
				d;

	if (known < 0)
		known = __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 29));
	return known;
}
#endif

bool
nlp_isa_available(NlpIsa isa)
{
	switch (isa)
	{
		case NLP_ISA_PLAIN:
			return true;
#if defined(__x86_64__)
		case NLP_ISA_AVX2:
			return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
				has_f16c();
		case NLP_ISA_AVX512:
			return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
				__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
				__builtin_cpu_supports("avx512vnni");
#endif
#if defined(__aarch64__)
		case NLP_ISA_NEON:
			{
				unsigned long have = getauxval(AT_HWCAP);

				return (have & HWCAP_ASIMDDP) && (have & HWCAP_ASIMDHP);
			}
#endif
		default:
			return false;
	}
}

NlpIsa
nlp_isa_best(void)
{
	if (nlp_isa_available(NLP_ISA_NEON))
		return NLP_ISA_NEON;
	if (nlp_isa_available(NLP_ISA_AVX512))
		return NLP_ISA_AVX512;
	if (nlp_isa_available(NLP_ISA_AVX2))
		return NLP_ISA_AVX2;
	return NLP_ISA_PLAIN;
}

NlpIsa
nlp_isa_current(void)
{
	if (current < 0)
		current = nlp_isa_best();
	return (NlpIsa) current;
}

bool
nlp_isa_set(NlpIsa isa)
{
	if (!nlp_isa_available(isa))
		return false;
	current = isa;
	return true;
}

static const char *const names[NLP_ISA_COUNT] = {"plain", "avx2", "avx512", "neon"};

const char *
nlp_isa_name(NlpIsa isa)
{
	return names[isa];
}

bool
nlp_isa_parse(const char *name, NlpIsa *isa)
{
	for (int i = 0; i < NLP_ISA_COUNT; i++)
	{
		if (strcmp(name, names[i]) == 0)
		{
			*isa = (NlpIsa) i;
			return true;
		}
	}
	return false;
}
