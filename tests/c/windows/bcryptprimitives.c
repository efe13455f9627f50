/* bcryptprimitives.dll, which Wine 8 lacks and every Windows has: the one function of it that Rust's standard library calls. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
  return SystemFunction036(buffer, (ULONG)length);
}
