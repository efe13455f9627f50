dnl Builds the extension with libflagstore in it: one file, which needs no other and may be moved.

PHP_ARG_WITH([flagstore],
  [where libflagstore is],
  [AS_HELP_STRING([--with-flagstore@<:@=DIR@:>@],
    [The LaunchDarkly DynamoDB feature store. DIR is what make install or this package filled: it holds
     include/flagstore.h, and libflagstore.a in lib/ or in lib/PLATFORM/. Without it the folder of these sources
     is taken, if it holds them, else what pkg-config names])])

if test "$PHP_FLAGSTORE" != "no"; then
  dnl As Rust calls the platform that is compiled for.
  AS_CASE([$host],
    [x86_64-*-linux-musl*], [FLAGSTORE_PLATFORM=x86_64-unknown-linux-musl],
    [aarch64-*-linux-musl*], [FLAGSTORE_PLATFORM=aarch64-unknown-linux-musl],
    [x86_64-*-linux*], [FLAGSTORE_PLATFORM=x86_64-unknown-linux-gnu],
    [aarch64-*-linux*], [FLAGSTORE_PLATFORM=aarch64-unknown-linux-gnu],
    [x86_64-*-darwin*], [FLAGSTORE_PLATFORM=x86_64-apple-darwin],
    [aarch64-*-darwin* | arm64-*-darwin*], [FLAGSTORE_PLATFORM=aarch64-apple-darwin],
    [FLAGSTORE_PLATFORM=$host])
  FLAGSTORE_FOLDER=$PHP_FLAGSTORE
  if test "$PHP_FLAGSTORE" = "yes"; then
    FLAGSTORE_FOLDER=$(cd "$srcdir" && pwd)
  fi
  AC_MSG_CHECKING([for libflagstore for $FLAGSTORE_PLATFORM in $FLAGSTORE_FOLDER])
  FLAGSTORE_ARCHIVE=
  for FLAGSTORE_FILE in "$FLAGSTORE_FOLDER/lib/$FLAGSTORE_PLATFORM/libflagstore.a" "$FLAGSTORE_FOLDER/lib/libflagstore.a"; do
    if test -z "$FLAGSTORE_ARCHIVE" && test -r "$FLAGSTORE_FILE" && test -r "$FLAGSTORE_FOLDER/include/flagstore.h"; then
      FLAGSTORE_ARCHIVE=$FLAGSTORE_FILE
    fi
  done
  FLAGSTORE_HARDENING="-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"
  if test -n "$FLAGSTORE_ARCHIVE"; then
    AC_MSG_RESULT([$FLAGSTORE_ARCHIVE])
    PHP_ADD_INCLUDE([$FLAGSTORE_FOLDER/include])
    dnl For the linker alone, since libtool knows better than to put an archive into a shared library.
    FLAGSTORE_SHARED_LIBADD="-Wl,$FLAGSTORE_ARCHIVE"
    AS_CASE([$host],
      [*-darwin*], [FLAGSTORE_SHARED_LIBADD="$FLAGSTORE_SHARED_LIBADD -Wl,-framework,Security -Wl,-framework,CoreFoundation"],
      [
        dnl Its threads live as long as the process, which unloads extensions at its end. Nothing of it is seen from outside, so
        dnl that another copy of the library in the process is another. What unwinds is in it, too.
        FLAGSTORE_SHARED_LIBADD="$FLAGSTORE_SHARED_LIBADD -Wl,-z,nodelete -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-s"
        FLAGSTORE_SHARED_LIBADD="$FLAGSTORE_SHARED_LIBADD -Wl,-Bstatic,-lgcc_eh,-Bdynamic -lpthread -lm -ldl -lrt"
      ])
    FLAGSTORE_HARDENING="$FLAGSTORE_HARDENING -ffile-prefix-map=$FLAGSTORE_FOLDER=flagstore"
  elif test "$PHP_FLAGSTORE" = "yes"; then
    AC_MSG_RESULT([no])
    PKG_CHECK_MODULES([FLAGSTORE], [flagstore], [],
      [AC_MSG_ERROR([there is no lib/$FLAGSTORE_PLATFORM/libflagstore.a beside these sources, and pkg-config knows no flagstore: give --with-flagstore=DIR])])
    PHP_EVAL_INCLINE([$FLAGSTORE_CFLAGS])
    dnl Not by PHP_EVAL_LIBLINE, which writes the folder into the extension: the system knows where its libraries are.
    FLAGSTORE_SHARED_LIBADD="$FLAGSTORE_LIBS"
  else
    AC_MSG_RESULT([no])
    AC_MSG_ERROR([$PHP_FLAGSTORE lacks include/flagstore.h, or libflagstore.a in lib/ or in lib/$FLAGSTORE_PLATFORM/: run make install PREFIX=$PHP_FLAGSTORE in flagstore's sources])
  fi
  dnl As distributions build: the processor's own protection has a name on each, and no folder of the builder is named.
  AS_CASE([$host],
    [*-darwin*], [],
    [FLAGSTORE_SHARED_LIBADD="$FLAGSTORE_SHARED_LIBADD -Wl,-z,relro -Wl,-z,now"])
  AS_CASE([$host_cpu],
    [x86_64], [FLAGSTORE_HARDENING="$FLAGSTORE_HARDENING -fcf-protection"],
    [aarch64], [FLAGSTORE_HARDENING="$FLAGSTORE_HARDENING -mbranch-protection=standard"])
  FLAGSTORE_HARDENING="$FLAGSTORE_HARDENING -ffile-prefix-map=$(pwd)=."
  PHP_SUBST([FLAGSTORE_SHARED_LIBADD])
  PHP_NEW_EXTENSION([flagstore], [flagstore.c], [$ext_shared],, [-Wall -Wextra -Wno-unused-parameter $FLAGSTORE_HARDENING])
fi
