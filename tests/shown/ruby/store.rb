# frozen_string_literal: true

# The store alone.
# SHOWN(bindings/ruby/README.md, 6)

Flagstore::Store.open(table: 'my-table', prefix: 'production') do |store|
  flag = store.get('features', 'my-flag')
  raise flag.inspect unless [flag.version, flag.deleted?] == [3, true]
end

# SHOWN(bindings/ruby/README.md, 7)
