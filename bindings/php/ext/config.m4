dnl Builds the extension against libflagstore, found by pkg-config or below a given folder.

PHP_ARG_WITH([flagstore],
  [whether to build against libflagstore],
  [AS_HELP_STRING([--with-flagstore@<:@=DIR@:>@],
    [The LaunchDarkly DynamoDB feature store. DIR holds include/flagstore.h and lib/libflagstore.so.1;
     without it pkg-config is asked])])

if test "$PHP_FLAGSTORE" != "no"; then
  if test "$PHP_FLAGSTORE" = "yes"; then
    PKG_CHECK_MODULES([FLAGSTORE], [flagstore])
    PHP_EVAL_INCLINE([$FLAGSTORE_CFLAGS])
    dnl Not by PHP_EVAL_LIBLINE, which writes the folder into the extension: the system knows where its libraries are.
    FLAGSTORE_SHARED_LIBADD="$FLAGSTORE_LIBS"
  else
    AC_MSG_CHECKING([for libflagstore in $PHP_FLAGSTORE])
    if test -r "$PHP_FLAGSTORE/include/flagstore.h" && test -r "$PHP_FLAGSTORE/lib/libflagstore.so.1"; then
      AC_MSG_RESULT([found])
    else
      AC_MSG_ERROR([$PHP_FLAGSTORE lacks include/flagstore.h or lib/libflagstore.so.1: run make install PREFIX=$PHP_FLAGSTORE in flagstore's sources])
    fi
    PHP_ADD_INCLUDE([$PHP_FLAGSTORE/include])
    dnl By its file name, since packages that cannot hold symbolic links have no libflagstore.so.
    dnl It is copied beside the extension, and found there wherever the two are installed.
    FLAGSTORE_SHARED_LIBADD="-L$PHP_FLAGSTORE/lib -l:libflagstore.so.1 -Wl,-rpath,'\$\$ORIGIN'"
    FLAGSTORE_LIBRARY="$PHP_FLAGSTORE/lib/libflagstore.so.1"
    PHP_SUBST([FLAGSTORE_LIBRARY])
  fi
  dnl As distributions build: the processor's own protection has a name on each, and no folder of the builder is named.
  FLAGSTORE_SHARED_LIBADD="$FLAGSTORE_SHARED_LIBADD -Wl,-z,relro -Wl,-z,now"
  FLAGSTORE_HARDENING="-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"
  AS_CASE([$host_cpu],
    [x86_64], [FLAGSTORE_HARDENING="$FLAGSTORE_HARDENING -fcf-protection"],
    [aarch64], [FLAGSTORE_HARDENING="$FLAGSTORE_HARDENING -mbranch-protection=standard"])
  FLAGSTORE_HARDENING="$FLAGSTORE_HARDENING -ffile-prefix-map=$(pwd)=. -ffile-prefix-map=$PHP_FLAGSTORE=flagstore"
  PHP_SUBST([FLAGSTORE_SHARED_LIBADD])
  PHP_NEW_EXTENSION([flagstore], [flagstore.c], [$ext_shared],, [-Wall -Wextra -Wno-unused-parameter $FLAGSTORE_HARDENING])
  if test "$PHP_FLAGSTORE" != "yes"; then
    PHP_ADD_MAKEFILE_FRAGMENT
  fi
fi
