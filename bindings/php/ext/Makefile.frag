# `make install` takes everything in modules/.
all: modules/libflagstore.so.1

modules/libflagstore.so.1: $(FLAGSTORE_LIBRARY)
	@mkdir -p modules
	@cp -L $(FLAGSTORE_LIBRARY) $@
