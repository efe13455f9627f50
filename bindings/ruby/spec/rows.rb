# frozen_string_literal: true

# Reads and writes rows past the library, typed as DynamoDB types them.
class Rows
  def initialize(endpoint, prefix)
    @endpoint = endpoint
    @prefix = prefix
  end

  def put(kind, key, **attributes)
    @endpoint.ask('PutItem', TableName: TABLE, Item: { **key_of(kind, key), **attributes })
  end

  # The row's attributes besides its key, or nil.
  def get(kind, key)
    row = @endpoint.ask('GetItem', TableName: TABLE, Key: key_of(kind, key), ConsistentRead: true)['Item']
    row&.except('namespace', 'key')
  end

  # Writes one of the rows whose sort key is their namespace.
  def put_special(name, **attributes)
    put(name, namespace(name), **attributes)
  end

  # Deletes all rows of these kinds.
  def clear(*kinds)
    kinds.each do |kind|
      query = { TableName: TABLE, KeyConditionExpression: '#n = :n', ExpressionAttributeNames: { '#n' => 'namespace' },
                ExpressionAttributeValues: { ':n' => { S: namespace(kind) } } }
      @endpoint.ask('Query', query)['Items'].each do |row|
        @endpoint.ask('DeleteItem', TableName: TABLE, Key: row.slice('namespace', 'key'))
      end
    end
  end

  private

  def namespace(kind)
    @prefix.to_s.empty? ? kind : "#{@prefix}:#{kind}"
  end

  def key_of(kind, key)
    { 'namespace' => { S: namespace(kind) }, 'key' => { S: key } }
  end
end
