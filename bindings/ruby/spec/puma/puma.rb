# frozen_string_literal: true

workers 3
threads 4, 4
preload_app!
bind 'tcp://127.0.0.1:0'
# Ends with status 0 when it is told to.
raise_exception_on_sigterm false

# The name of Puma 7 for on_worker_boot.
respond_to?(:before_worker_boot) ? before_worker_boot { Answers.after_fork } : on_worker_boot { Answers.after_fork }
